//! What documents tell people to type: the program takes each command, with its arguments and options. Links lead somewhere.

use super::must_succeed;
use std::{fs, path::Path, process::Command};

fn tracked(patterns: &[&str]) -> Vec<String> {
    let listed = must_succeed(Command::new("git").arg("ls-files").args(patterns));
    String::from_utf8(listed.stdout).unwrap().lines().filter(|file| fs::exists(file).unwrap()).map(Into::into).collect()
}

/// The commands of a document: lines of code, those inside of comments, and spans of code.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let plain = line.trim_start_matches([' ', '#']).trim_start_matches("sudo ").trim_start_matches("./");
        let inner = plain
            .split_once(" -- ")
            .filter(|(before, _)| before.starts_with("kubectl"))
            .map_or(plain, |(_, rest)| rest);
        if inner.starts_with("rembg-gateway ") {
            // Up to what a shell would not pass on.
            let end = [" #", " |", " >", "   "].iter().filter_map(|mark| inner.find(mark)).min().unwrap_or(inner.len());
            found.push(inner[..end].to_owned());
        }
        let spans = line.split('`').skip(1).step_by(2).map(|span| span.trim_start_matches("./"));
        found.extend(spans.filter(|span| span.starts_with("rembg-gateway ")).map(Into::into));
    }
    found
}

/// As a shell divides it; a placeholder for a number becomes one.
fn words(command: &str) -> Vec<String> {
    let words = command.split('"').enumerate().flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.map(|word| word.replace("-N", "-1")).filter(|word| word != "…").collect()
}

#[test]
fn the_program_takes_every_command_that_is_written_down() {
    let mut count = 0;
    let mut refused = Vec::new();
    for file in tracked(&["*.md", "config/*.toml", "compose.yaml", "deploy/*", ":!deploy/*.sh"]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for command in commands(&text).into_iter().filter(|command| words(command).len() > 1) {
            count += 1;
            if rembg_gateway::cli::parse(words(&command).into_iter().map(Into::into)).is_err() {
                refused.push(format!("{file}: {command}"));
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(count > 60, "only {count} commands are found");
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for file in tracked(&["*.md"]) {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone().into(),
                path => Path::new(&file).with_file_name("").join(path),
            };
            let there = fs::read_to_string(&target).unwrap_or_default();
            let is_heading = |line: &str| line.starts_with('#') && slug(line) == heading;
            if !target.exists() || !(heading.is_empty() || there.lines().any(is_heading)) {
                broken.push(format!("{file}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// As the places where repositories are read make it of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}
