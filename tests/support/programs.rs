//! Programs of others that are run against a gateway.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tokio::task::block_in_place;

/// The gateway's own program.
pub const GATEWAY: &str = env!("CARGO_BIN_EXE_rembg-gateway");

/// A path below the repository's own folder.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A path of something that `tests/tools.sh` installs there.
pub fn installed(path: &str) -> PathBuf {
    let path = in_repository(path);
    assert!(path.exists(), "{} is not there; run tests/tools.sh", path.display());
    path
}

/// A program that knows of no proxy.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for variable in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it with something on its standard input until it ends well. Answers with what it wrote.
pub fn output(command: &mut Command, input: &str) -> String {
    block_in_place(|| {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/tools.sh"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {}: {complained} {said}", output.status);
        said.into_owned()
    })
}
