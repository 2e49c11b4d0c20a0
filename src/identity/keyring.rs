//! The pepper, and the hashes by which keys are found.

use crate::{
    config::{Config, SecretError},
    domain::api_key::{KeyHash, KeyId},
    random::{NoRandomness, base62_digit, base62_text, hexadecimal},
};
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// The parts of a key's identifier.
const ID_PREFIX: &str = "key_";
const ID_DIGITS: usize = 16;
const MARK_DIGITS: usize = 4;

/// Base62 digits of a pepper of our own making: 256 bits and a little.
const PEPPER_DIGITS: usize = 43;

/// Hashes API keys under the gateway's peppers, so that a stolen store opens nothing.
#[derive(Clone)]
pub struct Keyring {
    newest: hmac::Key,
    older: Vec<hmac::Key>,
}

/// The source of the pepper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PepperSource {
    /// The configuration, by value or by file.
    Configured,
    /// The file that the embedded store's first user makes beside it.
    BesideStore(PathBuf),
}

/// Why there is no pepper.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The configured secret cannot be read.
    #[error("auth.api_key.pepper: {0}")]
    Configured(#[from] SecretError),
    /// None is configured, and the store is not the embedded one, which would make its own.
    #[error("auth.api_key.pepper is not set")]
    Missing,
    /// The file beside the store cannot be made or read.
    #[error("the pepper's file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The store exists, but the pepper that its keys were hashed under does not. A new one would lock every key out.
    #[error("the pepper's file {} is missing, so no API key can be checked; restore it from a backup", .0.display())]
    Lost(PathBuf),
    /// A new pepper was needed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl PepperSource {
    /// The source of the pepper in this configuration; `None` if it must be configured and is not. Reads nothing.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let api_key = &config.auth.api_key;
        if !api_key.pepper.is_empty() || api_key.pepper_file.is_some() {
            return Some(Self::Configured);
        }
        config.store.sqlite_path().map(|database| Self::BesideStore(database.with_file_name("pepper")))
    }
}

impl Keyring {
    /// The keyring of this configuration. Beside the embedded store a pepper is made before the store is; processes that start
    /// together agree on one. Blocks on the disk.
    pub fn open(config: &Config) -> Result<Self, KeyringError> {
        let peppers = match PepperSource::of(config).ok_or(KeyringError::Missing)? {
            PepperSource::Configured => config.auth.api_key.given_peppers()?,
            PepperSource::BesideStore(path) => {
                let store_is_there = config.store.sqlite_path().is_some_and(Path::exists);
                if store_is_there && !path.exists() {
                    return Err(KeyringError::Lost(path));
                }
                beside_store(&path)?
            }
        };
        let (newest, older) = peppers.split_first().ok_or(KeyringError::Missing)?;
        Ok(Self::new(newest).with_older(older))
    }

    /// A keyring with this pepper.
    #[must_use]
    pub fn new(pepper: &SecretString) -> Self {
        Self { newest: hmac_key(pepper), older: Vec::new() }
    }

    /// The same keyring, which also finds keys that were hashed under these peppers.
    #[must_use]
    pub fn with_older(self, peppers: &[SecretString]) -> Self {
        Self { older: peppers.iter().map(hmac_key).collect(), ..self }
    }

    /// HMAC-SHA256 of the key under the newest pepper, in hexadecimal: a new key is stored under this hash.
    #[must_use]
    pub fn hash(&self, key: &SecretString) -> KeyHash {
        hash(&self.newest, key)
    }

    /// A new public identifier of a key that is stored under the newest pepper: random digits, and a mark of the pepper, which
    /// shows later under which one the key is stored.
    pub fn fresh_id(&self) -> Result<KeyId, NoRandomness> {
        let body = base62_text(ID_DIGITS)?;
        let mark = mark(&self.newest, &body);
        Ok(KeyId(format!("{ID_PREFIX}{body}{mark}").into()))
    }

    /// Whether the key with this identifier is stored under one of the peppers, so that it can be found; `None` if the
    /// identifier has no mark, as before there were marks.
    #[must_use]
    pub fn has_made(&self, id: &KeyId) -> Option<bool> {
        let text = id.0.strip_prefix(ID_PREFIX).filter(|text| text.len() == ID_DIGITS + MARK_DIGITS)?;
        let (body, found) = text.split_at_checked(ID_DIGITS)?;
        Some([&self.newest].into_iter().chain(&self.older).any(|pepper| mark(pepper, body) == found))
    }

    /// The hashes that the key may be stored under, newest pepper first.
    pub fn hashes(&self, key: &SecretString) -> impl Iterator<Item = KeyHash> {
        [&self.newest].into_iter().chain(&self.older).map(|pepper| hash(pepper, key))
    }
}

/// Four digits tell peppers apart, and tell too little of a pepper to guess it by.
fn mark(pepper: &hmac::Key, body: &str) -> String {
    let signed = hmac::sign(pepper, format!("the id of a key: {body}").as_bytes());
    signed.as_ref().iter().take(MARK_DIGITS).map(|byte| base62_digit(u32::from(*byte))).collect()
}

fn hmac_key(pepper: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, pepper.expose_secret().as_bytes())
}

fn hash(pepper: &hmac::Key, key: &SecretString) -> KeyHash {
    KeyHash(hexadecimal(hmac::sign(pepper, key.expose_secret().as_bytes()).as_ref()))
}

fn beside_store(path: &Path) -> Result<Vec<SecretString>, KeyringError> {
    let failed = |source| KeyringError::File { path: path.into(), source };
    if !path.try_exists().map_err(failed)? {
        make(path, &base62_text(PEPPER_DIGITS)?).map_err(failed)?;
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let peppers: Vec<SecretString> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(Into::into).collect();
    if peppers.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is empty")));
    }
    Ok(peppers)
}

/// Makes the file, readable by its owner only, whole or not at all. If another process makes it first, that is a
/// success too.
fn make(path: &Path, pepper: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{pepper}")?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => fs::File::open(folder)?.sync_all(),
        Err(lost) if lost.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(failed) => Err(failed.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, thread};

    fn config(folder: &Path) -> Config {
        let mut config = Config::default();
        config.store.url = format!("sqlite:{}", folder.join("deep/gateway.db").display());
        config
    }

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let hash = Keyring::new(&"Jefe".into()).hash(&"what do ya want for nothing?".into());
        assert_eq!(hash.0, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn processes_that_start_together_agree_on_one_pepper_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let hashes: BTreeSet<String> = thread::scope(|scope| {
            let open = || Keyring::open(&config).unwrap().hash(&"some key".into()).0;
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(hashes.len(), 1);
        let made: Vec<_> = fs::read_dir(folder.path().join("deep")).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(made.len(), 1, "no temporary file stays");
        assert_eq!(made[0].file_name(), "pepper");
        assert_eq!(made[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_configured_pepper_is_used_and_none_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.auth.api_key.pepper = vec!["Jefe".into()];
        let hash = Keyring::open(&config).unwrap().hash(&"what do ya want for nothing?".into());
        assert!(hash.0.starts_with("5bdcc146"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_key_is_looked_for_under_every_pepper_and_made_under_the_newest() {
        let key = "some key".into();
        let (old, new) = (Keyring::new(&"old".into()), Keyring::new(&"new".into()));
        let both = new.clone().with_older(&["old".into()]);
        assert_eq!(both.hash(&key), new.hash(&key));
        assert_eq!(both.hashes(&key).collect::<Vec<_>>(), [new.hash(&key), old.hash(&key)]);
    }

    #[test]
    fn the_id_of_a_key_shows_under_which_pepper_it_is_stored() {
        let (old, new) = (Keyring::new(&"old".into()), Keyring::new(&"new".into()));
        let id = old.fresh_id().unwrap();
        assert_eq!((old.has_made(&id), new.has_made(&id)), (Some(true), Some(false)));
        assert_eq!(new.with_older(&["old".into()]).has_made(&id), Some(true));
        for without in ["key_0123456789abcdef", "key_", "other", "key_0123456789abcdefghéé"] {
            assert_eq!(old.has_made(&KeyId(without.into())).filter(|made| *made), None, "{without}");
        }
    }

    #[test]
    fn the_file_beside_the_store_may_hold_older_peppers_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/pepper"), "new\nold\n").unwrap();
        let keyring = Keyring::open(&config(folder.path())).unwrap();
        let expected = Keyring::new(&"new".into()).with_older(&["old".into()]);
        let key = "some key".into();
        assert!(keyring.hashes(&key).eq(expected.hashes(&key)));
    }

    #[test]
    fn an_empty_pepper_file_is_no_pepper() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/pepper"), "\n").unwrap();
        assert!(matches!(Keyring::open(&config(folder.path())), Err(KeyringError::File { .. })));
    }
}
