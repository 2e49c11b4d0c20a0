//! Every setting with its meaning, its default, its value in effect, and where that comes from.

use super::{
    Config, Place,
    reference::{self, ReferenceLine, below},
};
use serde::Serialize;
use std::fmt::Write as _;
use toml::{Table, Value};

/// One setting. A secret's value is `***`.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its path.
    pub path: String,
    /// The value in effect; `None` if it is not set.
    pub value: Option<Value>,
    /// The value without a file and without variables.
    pub default: Option<Value>,
    /// `default`, `file` or `environment`.
    pub source: &'static str,
    /// The line of the file, or the variable.
    pub place: Option<String>,
    /// Its meaning, as `config/gateway.toml` tells it.
    pub about: String,
}

impl Config {
    /// Every setting, in the order of `config/gateway.toml`.
    pub fn settings(&self) -> Result<Vec<Setting>, toml::ser::Error> {
        Ok(Listing::of(self)?.made().1)
    }

    /// The same as TOML with comments: a file that has the same effect, but for secrets, which it does not hold.
    pub fn annotated(&self) -> Result<String, toml::ser::Error> {
        Ok(Listing::of(self)?.made().0)
    }
}

struct Listing<'a> {
    config: &'a Config,
    effective: Table,
    defaults: Table,
    text: String,
    settings: Vec<Setting>,
    /// The words above the next setting.
    about: Vec<&'static str>,
    /// The words above its section, for a setting without words of its own.
    about_section: String,
}

impl<'a> Listing<'a> {
    fn of(config: &'a Config) -> Result<Self, toml::ser::Error> {
        let mut defaults = Config::default();
        defaults.make_paths_absolute();
        let text =
            "# Every setting with its value in effect. The comment after a value tells where it was written.\n".into();
        let (effective, defaults) = (Table::try_from(config)?, Table::try_from(&defaults)?);
        Ok(Self {
            config,
            effective,
            defaults,
            text,
            settings: Vec::new(),
            about: Vec::new(),
            about_section: String::new(),
        })
    }

    fn made(mut self) -> (String, Vec<Setting>) {
        let mut plans = self.config.plans.keys();
        let mut section = String::new();
        let mut after_setting = false;
        // The file begins with words about itself.
        let mut lines = reference::lines().skip_while(|line| *line != ReferenceLine::Blank);
        while let Some(line) = lines.next() {
            if !matches!(line, ReferenceLine::Setting(..)) && after_setting {
                self.about.clear();
            }
            after_setting = matches!(line, ReferenceLine::Setting(..));
            match line {
                ReferenceLine::Section(name) if name.starts_with("plans.") => {
                    if !section.starts_with("plans.")
                        && let Some(plan) = plans.next()
                    {
                        section = format!("plans.{plan}");
                        self.open(&["plans", plan]);
                        continue;
                    }
                    for plan in plans.by_ref() {
                        self.plan(plan);
                    }
                    // The file's second plan is no more than an example.
                    lines.by_ref().find(|line| *line == ReferenceLine::Blank);
                }
                ReferenceLine::Section(name) => {
                    name.clone_into(&mut section);
                    self.open(&name.split('.').collect::<Vec<_>>());
                    self.entries(name);
                }
                ReferenceLine::Setting(key, example) => self.setting(&below(&section, key), key, example),
                ReferenceLine::Comment(words) => {
                    self.about.push(words);
                    self.line(format!("# {words}").trim_end());
                }
                ReferenceLine::Blank => {
                    self.about.clear();
                    self.line("");
                }
            }
        }
        (self.text, self.settings)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, keys: &[&str]) {
        self.about_section = std::mem::take(&mut self.about).join("\n");
        let keys: Vec<_> = keys.iter().map(|key| written(key)).collect();
        self.line(&format!("[{}]", keys.join(".")));
    }

    /// Another plan, with the numbers that it has.
    fn plan(&mut self, plan: &str) {
        self.open(&["plans", plan]);
        let keys: Vec<_> = find(&self.effective, &["plans", plan]).map(keys_of).unwrap_or_default();
        for key in keys {
            self.setting(&format!("plans.{plan}.{key}"), &key, "");
        }
        self.line("");
    }

    /// What the operator has put into a section that has no settings of its own.
    fn entries(&mut self, section: &str) {
        if matches!(section, "stripe.prices" | "stripe.packs") {
            let path: Vec<_> = section.split('.').collect();
            for key in find(&self.effective, &path).map(keys_of).unwrap_or_default() {
                self.setting(&below(section, &key), &key, "");
            }
        }
    }

    fn setting(&mut self, path: &str, key: &str, example: &str) {
        let section = path.strip_suffix(key).unwrap_or(path).trim_end_matches('.');
        let keys: Vec<_> = match section.split_once('.') {
            // A plan's name may hold dots.
            Some(("plans", plan)) => vec!["plans", plan, key],
            _ => section.split('.').filter(|key| !key.is_empty()).chain([key]).collect(),
        };
        let (value, default) = (find(&self.effective, &keys).cloned(), find(&self.defaults, &keys).cloned());
        let place = self.config.sources.place(path).or_else(|| match value {
            // The parts of a section in one line.
            Some(Value::Table(_)) => self.config.sources.nearest_inside(path),
            _ => None,
        });
        let source = match place {
            None => "default",
            Some(Place::File { .. }) => "file",
            Some(Place::Variable(_)) => "environment",
        };
        let place = place.map(|place| place.to_string());
        match &value {
            Some(value) => {
                let from = match (&place, &default) {
                    (None, _) => "the default".into(),
                    (Some(place), Some(default)) => format!("{place}; the default is {default}"),
                    (Some(place), None) => place.clone(),
                };
                // Writing to a string cannot fail.
                let _ = writeln!(self.text, "{} = {value} # {from}", written(key));
            }
            None => self.line(&format!("{example} # an example; it is not set")),
        }
        let about = if self.about.is_empty() { self.about_section.clone() } else { self.about.join("\n") };
        self.settings.push(Setting { path: path.to_owned(), value, default, source, place, about });
    }
}

fn find<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn keys_of(value: &Value) -> Vec<String> {
    value.as_table().map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// A key as TOML writes it.
fn written(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { key.to_owned() } else { Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    const FILE: &str = r#"
        default_plan = "Gold.1"
        [backend]
        kind = "rmbg"
        urls = ["http://a/"]
        api_key = "hush-hush"
        [plans."Gold.1"]
        credits = 7
        burst = { per_minute = 6, size = 5 }
        [plans.Silver]
        credits = 3
        burst = { per_minute = 2, size = 1 }
        max_pixels = 9
        [stripe.prices]
        "price_a" = "Silver"
        "prod.b" = "Gold.1"
    "#;

    fn load(file: &str, env: &[(&str, &str)]) -> Config {
        let on_disk = tempfile::NamedTempFile::new().unwrap();
        fs::write(on_disk.path(), file).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(on_disk.path()), env).unwrap()
    }

    #[test]
    fn the_listing_is_a_file_with_the_same_effect_that_names_every_source() {
        for (file, env) in [("", &[][..]), (FILE, &[("REMBG_GATEWAY__LOG__LEVEL", "warn")])] {
            let config = load(file, env);
            let text = config.annotated().unwrap();
            let read: Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(read, Table::try_from(&config).unwrap(), "{text}");
            assert!(!text.contains("hush"), "{text}");
        }
        let text = load(FILE, &[("REMBG_GATEWAY__LOG__LEVEL", "warn")]).annotated().unwrap();
        for line in [
            "level = \"warn\" # REMBG_GATEWAY__LOG__LEVEL; the default is \"info\"",
            "format = \"text\" # the default",
            "# tls_key = \"/run/secrets/privkey.pem\" # an example; it is not set",
            "[plans.\"Gold.1\"]",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        assert!(
            text.contains("kind = \"rmbg\" # /") && text.contains(", line 4; the default is \"builtin\""),
            "{text}"
        );
        assert!(text.contains(", line 15\n"), "a price's line: {text}");
    }

    #[test]
    fn every_setting_that_there_is_is_listed_with_its_meaning() {
        let config = Config::load(None, std::iter::empty()).unwrap();
        let settings = config.settings().unwrap();
        for setting in &settings {
            assert!(!setting.about.is_empty() || setting.path.starts_with("plans.Premium"), "{}", setting.path);
            assert_eq!((setting.source, &setting.value), ("default", &setting.default), "{}", setting.path);
        }
        let model = settings.iter().find(|setting| setting.path == "backend.model").unwrap();
        assert!(Path::new(model.value.as_ref().unwrap().as_str().unwrap()).is_absolute());
        let rate = settings.iter().find(|setting| setting.path == "limits.transfer_min_rate").unwrap();
        assert!(rate.about.contains("bytes a second"), "it shares its words with the line above: {}", rate.about);
    }
}
