//! One word for one thing: names that a field's term has replaced do not come back, and decisions have one form.

use std::fs;

/// Words that no name may contain, whether in `CamelCase` or in `snake_case`.
const REPLACED_WORDS: [&str; 15] = [
    "blame",
    "desk",
    "movable",
    "odd",
    "reception",
    "recall",
    "recalled",
    "remembrance",
    "restless",
    "strange",
    "useless",
    "watchman",
    "workbench",
    "wish",
    "pace",
];

/// Whole names that must not be used. A part of a longer name may be the same word in another meaning.
const REPLACED_NAMES: [&str; 18] = [
    "Door",
    "Elsewhere",
    "Gate",
    "Guess",
    "Impossible",
    "Known",
    "Left",
    "Line",
    "Mark",
    "Present",
    "Seen",
    "Stepped",
    "Told",
    "Trouble",
    "Turn",
    "TurnedAway",
    "UnderWay",
    "is_away",
];

/// Beginnings of names that must not be used.
const REPLACED_BEGINNINGS: [&str; 3] = ["hand_in", "put_aside", "turn_away"];

#[test]
fn replaced_names_do_not_come_back() {
    let found: Vec<_> = super::sources()
        .iter()
        .flat_map(|(path, source)| replaced(source).into_iter().map(move |name| format!("{}: {name}", path.display())))
        .collect();
    assert!(found.is_empty(), "ARCHITECTURE.md has a lexicon; these names have better terms:\n{}", found.join("\n"));
}

#[test]
fn only_names_count_and_each_is_looked_at_word_by_word() {
    let source = r#"
        //! A Desk in a comment.
        struct UsageDesk<'a>(&'a str); // Gate
        fn hand_in_all(c: char) { let line = "a \" Door"; if c == '"' { turn_away(r"Mark", b"Told") } }
        let (ours, seen, Lines, handing, deskew, lefts) = Fault::Impossible;
    "#;
    assert_eq!(replaced(source), ["UsageDesk", "hand_in_all", "turn_away", "Impossible"]);
    assert_eq!(replaced("let a = r#\"Mark \"Line\"\"#; Gate"), ["Gate"]);
}

#[test]
fn every_decision_has_a_context_a_decision_and_a_cost() {
    let mut files: Vec<_> = fs::read_dir("docs/decisions").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Context", "Decision", "Cost"], "{}", path.display());
        let number = &path.file_name().unwrap().to_str().unwrap()[..4];
        assert!(text.starts_with(&format!("# {number}: ")), "{} has another number", path.display());
        assert!(text.lines().count() <= 40, "{} is longer than a page", path.display());
    }
}

/// The names in a source that have a better term, in their order.
fn replaced(source: &str) -> Vec<String> {
    let code = without_words(source);
    let names = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let is_replaced = |name: &&str| {
        REPLACED_NAMES.contains(name)
            || REPLACED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
            || words_of(name).iter().any(|word| REPLACED_WORDS.contains(&word.as_str()))
    };
    names.filter(is_replaced).map(str::to_owned).collect()
}

/// The words of a name, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() {
            words.push(String::new());
        }
        words.last_mut().unwrap().extend(letter.to_lowercase().filter(|letter| *letter != '_'));
    }
    words
}

/// A source without its comments and literals of text.
fn without_words(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix('r').map(|after| after.bytes().take_while(|byte| *byte == b'#').count());
        let after_raw = raw.and_then(|fences| rest[1 + fences..].strip_prefix('"').map(|text| (text, fences)));
        let begins_word = !code.ends_with(|last: char| last.is_alphanumeric() && last != 'b' || last == '_');
        rest = if rest.starts_with("//") {
            &rest[rest.find('\n').unwrap_or(rest.len())..]
        } else if let Some((text, fences)) = after_raw.filter(|_| begins_word) {
            let end = format!("\"{}", "#".repeat(fences));
            &text[text.find(&end).map_or(text.len(), |at| at + end.len())..]
        } else if first == '"' {
            &rest[1 + quoted(&rest[1..])..]
        } else if let Some(after) = rest.strip_prefix("'\"'") {
            after
        } else {
            code.push(first);
            &rest[first.len_utf8()..]
        };
    }
    code
}

/// Bytes of a literal behind its opening quote, with its closing one.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at + 1,
            byte => escaped = byte == b'\\' && !escaped,
        }
    }
    text.len()
}
