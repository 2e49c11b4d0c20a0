//! The Lua scripts: `meter` for holds, keeps and releases of accounts, one for each other writing verb (an import has five),
//! those that write again what was lost, and one to list. A server that has lost them is given them again.

use super::link::{Link, Request};
use crate::{
    domain::shared_text::SharedText,
    store::{Fault, Result},
};
use redis::{Cmd, FromRedisValue, RedisWrite, Script, ToRedisArgs, ToSingleRedisArg, cmd};
use std::fmt::Display;

/// The text of some files.
macro_rules! files {
    ($($file:literal),+) => { concat!($(include_str!(concat!("../lua/", $file, ".lua"))),+) };
}

/// A script in one or several files, after what all of them begin with.
macro_rules! script {
    ($($file:literal),+) => { Script::new(files!("prelude", $($file),+)) };
}

/// A call makes every function of its script anew, which takes longer than most of what they do: those for what is rare are
/// made only where they are needed.
const METER: &str = concat!(
    files!("prelude", "common", "fast_path"),
    "local function load_operate()\n",
    files!("account", "standing", "hold", "keep", "release", "operate"),
    "end\n",
    files!("meter")
);

/// Every script.
pub(super) struct Scripts {
    pub(super) meter: Script,
    pub(super) restore: Script,
    pub(super) client_hold: Script,
    pub(super) client_keep: Script,
    pub(super) client_release: Script,
    pub(super) client_restore: Script,
    pub(super) grant: Script,
    pub(super) cycles: Script,
    pub(super) mend: Script,
    pub(super) put_account: Script,
    pub(super) apply_stripe: Script,
    pub(super) put_stripe_object: Script,
    pub(super) park: Script,
    pub(super) unpark: Script,
    pub(super) put_key: Script,
    pub(super) revoke_key: Script,
    pub(super) import: Script,
    pub(super) import_ledger: Script,
    pub(super) close_month: Script,
    pub(super) import_grants: Script,
    pub(super) import_settled: Script,
    pub(super) import_moments: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            meter: Script::new(METER),
            restore: script!("account", "restore"),
            client_hold: script!("client_hold"),
            client_keep: script!("client_keep"),
            client_release: script!("client_release"),
            client_restore: script!("client_restore"),
            grant: script!("change", "grant"),
            cycles: script!("change", "cycles"),
            mend: script!("change", "mend"),
            put_account: script!("change", "put_account"),
            apply_stripe: script!("change", "apply_stripe"),
            put_stripe_object: script!("put_stripe_object"),
            park: script!("park"),
            unpark: script!("unpark"),
            put_key: script!("put_key"),
            revoke_key: script!("revoke_key"),
            import: script!("import"),
            import_ledger: script!("import_ledger"),
            close_month: script!("close_month"),
            import_grants: script!("import_grants"),
            import_settled: script!("import_settled"),
            import_moments: script!("import_moments"),
        }
    }
}

/// One call of a script.
pub(super) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl<'a> Call<'a> {
    /// A call for what lies under these names.
    pub(super) fn of(
        script: &'a Script,
        keys: impl IntoIterator<Item = impl AsRef<str>, IntoIter: ExactSizeIterator>,
    ) -> Self {
        let (mut command, keys) = (cmd("EVALSHA"), keys.into_iter());
        command.arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        Self { script, command }
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// A number; an empty argument where there is none.
    pub(super) fn number(self, number: Option<impl ToRedisArgs>) -> Self {
        match number {
            Some(number) => self.arg(number),
            None => self.arg(""),
        }
    }

    /// What it is shown as.
    pub(super) fn shown(mut self, argument: impl Display) -> Self {
        self.command.write_arg_fmt(argument);
        self
    }

    /// The same; a fault with whether it is the connection's.
    pub(super) async fn run_telling<T: FromRedisValue>(&self, link: &Link) -> std::result::Result<T, (Fault, bool)> {
        link.ask_telling(Request::Script(self.script, &self.command)).await
    }

    /// Runs it; repeated where the outcome is unknown.
    pub(super) async fn run<T: FromRedisValue>(&self, link: &Link) -> Result<T> {
        link.ask(Request::Script(self.script, &self.command)).await
    }
}

impl ToRedisArgs for SharedText {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        self.as_str().write_redis_args(out);
    }
}

impl ToSingleRedisArg for SharedText {}
