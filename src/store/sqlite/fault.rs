//! What `SQLite`'s errors mean to the gateway.

use crate::store::Fault;
use rusqlite::{Error, ErrorCode};

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch) => {
                Self::Unexpected(error.to_string())
            }
            Some(_) => Self::Unavailable(error.to_string()),
            None => Self::Unexpected(error.to_string()),
        }
    }
}
