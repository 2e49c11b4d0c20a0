//! The rights of the folders and files that the gateway writes.

use crate::{
    cli::finding::{Finding, Verdict},
    config::Config,
};
use std::{
    env, fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

/// The rights of users who are neither the owner nor in the group.
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ANY: u32 = 0o007;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(database) = config.store.sqlite_path() {
        findings.extend(database.parent().and_then(|folder| written_to("data folder", folder)));
        findings.extend(secret_from_others(database));
    } else {
        findings.extend(written_to("journal", &config.store.journal));
    }
    // The folder for temporary files is usually open to everybody, and the files in it are not.
    findings.extend(written_to("bodies' folder", &env::temp_dir()).filter(|one| one.verdict == Verdict::Fail));
    findings
}

/// Whether this user can make files in the folder, and other users cannot. Nothing if so.
fn written_to(subject: &'static str, folder: &Path) -> Option<Finding> {
    let shown = folder.display();
    // A folder that does not exist yet is made inside its nearest existing parent.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    if let Err(error) = tempfile::tempfile_in(there) {
        let whoever = format!("the user who runs this (uid {})", own_id());
        let says = if there == folder {
            format!("{shown} cannot be written by {whoever}: {}.", reason(&error))
        } else {
            format!("{shown} does not exist, and {whoever} cannot make it in {}: {}.", there.display(), reason(&error))
        };
        let cure =
            format!("Give {} to the gateway's user, or name another folder; run this as that user.", there.display());
        return Some(Finding::fail(subject, says, cure));
    }
    let open = there == folder && mode(folder).is_some_and(|mode| mode & OTHERS_WRITE != 0);
    let says = format!("{shown} can be written by every user of this machine, who could replace the files in it.");
    open.then(|| Finding::warn(subject, says, format!("chmod o-w {shown}")))
}

/// The user that this process runs as.
fn own_id() -> u32 {
    fs::metadata("/proc/self").map_or(0, |own| own.uid())
}

fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotADirectory { "it is a file".into() } else { error.to_string() }
}

/// The accounts, and the hashes of their keys. Nothing if others cannot read them.
fn secret_from_others(database: &Path) -> Option<Finding> {
    let open = mode(database).is_some_and(|mode| mode & OTHERS_ANY != 0);
    let says = format!("{} can be read by every user of this machine.", database.display());
    open.then(|| Finding::warn("data folder", says, format!("chmod o-rwx {}*", database.display())))
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_everybody_may_write_and_one_that_nobody_can_make_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert_eq!(written_to("x", &data.join("deep")), None, "it can be made");
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
        let found = written_to("x", &data).unwrap();
        assert!(found.verdict == Verdict::Warn && found.says.contains("by every user"), "{found:?}");
        fs::set_permissions(&data, fs::Permissions::from_mode(0o770)).unwrap();
        assert_eq!(written_to("x", &data), None);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let found = written_to("x", &file.join("data")).unwrap();
        assert!(found.verdict == Verdict::Fail && found.says.contains("does not exist"), "{found:?}");
    }

    #[test]
    fn a_store_that_everybody_may_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.db");
        assert_eq!(secret_from_others(&file), None, "it is not there");
        for (mode, open) in [(0o600, false), (0o660, false), (0o644, true)] {
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret_from_others(&file).is_some(), open, "{mode:o}");
        }
    }
}
