//! From file and environment to a [`Config`], with every mistake found at once.

use super::{
    Config, ConfigErrors, Sources, check::check, environment, mistakes::Mistake, paths, shown, sources, typed::typed,
};
use std::{
    fs,
    path::{Path, absolute},
};
use toml::{Table, Value};

impl Config {
    /// Defaults, then the file, then the variables of `env` that begin with
    /// [`ENVIRONMENT_PREFIX`](super::ENVIRONMENT_PREFIX); the later wins. All mistakes are reported at once, except
    /// that a file that is not TOML is reported alone. A file named here must exist. Secret files are read to check
    /// that they can be.
    ///
    /// Every path is absolute afterwards: relative ones in the file are relative to its folder, all others to the working
    /// directory.
    pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let (mut table, mut sources) = match file {
            Some(file) => read(file)?,
            None => (Table::new(), Sources::default()),
        };
        keep_built_in_plans(&mut table);
        let mut mistakes = Vec::new();
        let mut variables = environment::apply(&mut table, env, &mut sources, &mut mistakes);
        let (mut config, table) = typed(table, &mut variables, &mut mistakes);
        config.make_paths_absolute();
        config.read_secret_files();
        let of_types = mistakes.len();
        check(&config, &mut mistakes);
        for mistake in &mut mistakes[of_types..] {
            mistake.value = shown::value(&table, &mistake.path).filter(|value| !mistake.fault.contains(&**value));
        }
        for mistake in &mut mistakes {
            let place = mistake.place.take();
            mistake.place = place.or_else(|| sources.nearest(&mistake.path));
        }
        config.sources = sources;
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigErrors(mistakes)) }
    }
}

fn read(file: &Path) -> Result<(Table, Sources), ConfigErrors> {
    let unreadable = |error| ConfigErrors::one(file.display(), format_args!("cannot be read: {error}"));
    let file = absolute(file).map_err(unreadable)?;
    let text = fs::read_to_string(&file)
        .map_err(|error| ConfigErrors::one(file.display(), format_args!("cannot be read: {error}")))?;
    // The error's own `Display` would quote the line, which may hold a secret.
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = sources::line(&text, &error.span().unwrap_or_default());
        let place = Some(sources::Place::File { file: file.clone(), line });
        ConfigErrors(vec![Mistake { place, ..Mistake::new("", error.message().replace('\n', ", ")) }])
    })?;
    match file.parent() {
        Some(folder) if folder.to_str().is_some() => paths::relative_to(&mut table, folder),
        _ => return Err(ConfigErrors::one(file.display(), "the folder's name is not UTF-8; rename it")),
    }
    let sources = Sources::of_file(file, &text);
    Ok((table, sources))
}

/// A file that names plans replaces the built-in ones. Otherwise the environment can change single numbers of those.
fn keep_built_in_plans(table: &mut Table) {
    if let (false, Ok(plans)) = (table.contains_key("plans"), Value::try_from(Config::default().plans)) {
        table.insert("plans".into(), plans);
    }
}
