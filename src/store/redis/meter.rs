//! Holds, keeps and releases of accounts, on their way to the script `meter`.

use super::{
    engine::Engine,
    operation::{self, Operation},
};
use crate::store::{Fault, Result, whole::strange};

/// Makes an operation; gives the script's answer.
pub(super) async fn ask(engine: &Engine, operation: Operation) -> Result<String> {
    let answers: Vec<String> = operation::call(engine, &[vec![operation]]).run(&engine.link).await?;
    answers.into_iter().next().ok_or_else(|| Fault::Unexpected("the script meter gives no answer".into())).and_then(read)
}

/// What the operation's own data is to blame for is its fault.
fn read(answer: String) -> Result<String> {
    match answer.split_once('|') {
        Some(("unexpected", key)) => {
            Err(Fault::Unexpected(format!("{key} is of another type than ours: nothing can be counted there")))
        }
        Some(("not_integer", name)) => Err(strange(name)),
        _ => Ok(answer),
    }
}
