//! Secrets: given by value or by file, shown as `***`.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Why a secret cannot be read. It never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// The secret is empty.
    #[error("is empty")]
    Empty,
}

/// The secret, by value or else from the file. Line ends at the end of the file do not count.
pub(super) fn given(value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, SecretError> {
    let secret = match (value, file) {
        (Some(value), _) => value.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) => return Ok(None),
    };
    if secret.expose_secret().is_empty() { Err(SecretError::Empty) } else { Ok(Some(secret)) }
}

/// The secrets, by value or else from the file, one a line. Empty lines do not count; an empty file or value is an
/// error.
pub(super) fn given_list(values: &[SecretString], file: Option<&Path>) -> Result<Vec<SecretString>, SecretError> {
    let secrets = match file.filter(|_| values.is_empty()) {
        Some(file) => lines(file)?,
        None => values.to_vec(),
    };
    let blank = secrets.iter().any(|secret| secret.expose_secret().trim().is_empty());
    if blank { Err(SecretError::Empty) } else { Ok(secrets) }
}

/// The secrets of a file, one a line.
pub(super) fn lines(file: &Path) -> Result<Vec<SecretString>, SecretError> {
    let text = read(file)?;
    let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Vec<SecretString> = lines.map(Into::into).collect();
    if secrets.is_empty() { Err(SecretError::Empty) } else { Ok(secrets) }
}

/// The text of a file. Line ends at its end do not count.
pub(super) fn read(file: &Path) -> Result<SecretString, SecretError> {
    let text = fs::read_to_string(file).map_err(|error| SecretError::Unreadable(file.into(), error))?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

/// Shows that there is a secret, and nothing of it.
#[expect(clippy::ref_option, reason = "serde passes the field as it is")]
pub(super) fn serialize<S: Serializer>(secret: &Option<SecretString>, target: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => target.serialize_some("***"),
        None => target.serialize_none(),
    }
}

/// Shows how many secrets there are, and nothing of them.
pub(super) fn serialize_list<S: Serializer>(secrets: &[SecretString], target: S) -> Result<S::Ok, S::Error> {
    target.collect_seq(secrets.iter().map(|_| "***"))
}

/// Reads a secret; a value of another type is refused without being quoted, which serde's own message would do.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(source).map(|text| Some(text.into())).map_err(|_| D::Error::custom("expected text in quotes"))
}

/// One secret or a list of them. Only their number is shown.
pub(super) mod one_or_many {
    use super::{Deserialize, Deserializer, SecretString, Serializer, serialize_list};
    use serde::de::Error as _;

    pub(in crate::config) fn serialize<S: Serializer>(secrets: &[SecretString], target: S) -> Result<S::Ok, S::Error> {
        match secrets {
            [] => target.serialize_none(),
            [_] => target.serialize_str("***"),
            several => serialize_list(several, target),
        }
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<SecretString>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        match Written::deserialize(source) {
            Ok(Written::One(one)) => Ok(vec![one.into()]),
            Ok(Written::Many(many)) => Ok(many.into_iter().map(Into::into).collect()),
            // serde's own words would quote the value.
            Err(_) => Err(D::Error::custom("expected text in quotes, or a list of such")),
        }
    }
}
