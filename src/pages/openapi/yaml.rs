//! A JSON value as YAML 1.2, in blocks. A text that YAML could take for something else is quoted as in JSON, which YAML
//! reads alike.

use super::node::Node;
use serde_json::Value;

/// Words that YAML 1.1 or 1.2 takes for something other than text.
const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan"];

/// The whole value, with a line's end.
pub(super) fn written(node: &Node) -> String {
    let mut out = String::new();
    block(node, 0, &mut out);
    out
}

fn block(node: &Node, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match node {
        Node::Map(members) if !members.is_empty() => {
            for (key, inner) in members {
                out.extend([margin.as_str(), &text(key), ":"]);
                after(inner, indent, out);
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                if is_inline(item) {
                    out.extend([margin.as_str(), "-"]);
                    after(item, indent, out);
                } else {
                    // The item's first line stands behind the dash.
                    let mut inner = String::new();
                    block(item, indent + 2, &mut inner);
                    out.extend([margin.as_str(), "- ", &inner[indent + 2..]]);
                }
            }
        }
        Node::Map(_) | Node::List(_) | Node::Scalar(_) => {
            out.push_str(&margin);
            after(node, indent, out);
        }
    }
}

/// Writes the part behind a key or a dash.
fn after(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Scalar(Value::String(lines)) if is_literal(lines) => {
            out.push_str(" |-\n");
            for line in lines.lines() {
                let margin = if line.is_empty() { 0 } else { indent + 2 };
                out.extend([" ".repeat(margin).as_str(), line, "\n"]);
            }
        }
        Node::Scalar(Value::String(words)) => out.extend([" ", &text(words), "\n"]),
        Node::Scalar(value) => out.extend([" ", &value.to_string(), "\n"]),
        Node::Map(members) if members.is_empty() => out.push_str(" {}\n"),
        Node::List(items) if items.is_empty() => out.push_str(" []\n"),
        Node::Map(_) | Node::List(_) => {
            out.push('\n');
            block(node, indent + 2, out);
        }
    }
}

fn is_inline(node: &Node) -> bool {
    match node {
        Node::Map(members) => members.is_empty(),
        Node::List(items) => items.is_empty(),
        Node::Scalar(_) => true,
    }
}

/// Whether a text of several lines can be written as it is.
fn is_literal(text: &str) -> bool {
    let plain = |c: char| c == '\n' || !c.is_control();
    text.contains('\n') && !text.ends_with('\n') && !text.starts_with([' ', '\n']) && text.chars().all(plain)
}

fn text(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _-./,;()'".contains(&byte);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(plain)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_has_its_form() {
        let json = r##"{"a": {"b": [1, {"c": "x y", "d": []}, [true, {}]]}, "404": "no", "e": "one\n\ntwo", "#": ": #", "f": "é\u0007\n"}"##;
        let node: Node = serde_json::from_str(json).unwrap();
        let expected = r##"a:
  b:
    - 1
    - c: x y
      d: []
    - - true
      - {}
"404": "no"
e: |-
  one

  two
"#": ": #"
f: "é\u0007\n"
"##;
        assert_eq!(written(&node), expected);
    }
}
