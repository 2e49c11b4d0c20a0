//! From file and environment to a [`Config`], with every mistake found at once.

use super::{Config, ConfigErrors, check::check, environment, typed::typed};
use std::{fs, path::Path};
use toml::{Table, Value};

impl Config {
    /// Defaults, then the file, then the variables of `env` that begin with
    /// [`ENVIRONMENT_PREFIX`](super::ENVIRONMENT_PREFIX); the later wins. All mistakes are reported at once, except
    /// that a file that is not TOML is reported alone. A file named here must exist. Secret files are read to check
    /// that they can be.
    pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut table = match file {
            Some(file) => read(file)?,
            None => Table::new(),
        };
        keep_built_in_plans(&mut table);
        let mut mistakes = Vec::new();
        let mut variables = environment::apply(&mut table, env, &mut mistakes);
        let config = typed(table, &mut variables, &mut mistakes);
        check(&config, &mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors(mistakes)) }
    }
}

fn read(file: &Path) -> Result<Table, ConfigErrors> {
    let text = fs::read_to_string(file)
        .map_err(|error| ConfigErrors::one(file.display(), format_args!("cannot be read: {error}")))?;
    // The error's own `Display` would quote the line, which may hold a secret.
    text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        ConfigErrors::one(format_args!("{}, line {line}", file.display()), error.message().replace('\n', ", "))
    })
}

/// A file that names plans replaces the built-in ones. Otherwise the environment can change single numbers of those.
fn keep_built_in_plans(table: &mut Table) {
    if let (false, Ok(plans)) = (table.contains_key("plans"), Value::try_from(Config::default().plans)) {
        table.insert("plans".into(), plans);
    }
}
