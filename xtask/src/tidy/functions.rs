//! Lengths of functions, whatever their visibility and kind.

/// Words that may stand before `fn`.
const WORDS: [&str; 5] = ["pub", "const", "async", "unsafe", "extern"];

/// Returns each function with its length, from its head to its closing brace: formatted code closes a function where it began.
pub(super) fn lengths(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = name_of(line) else { continue };
        if line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| *line == close);
        if let Some(length) = end {
            lengths.push((name, length + 1));
        }
    }
    lengths
}

/// Returns the name of the function that begins on this line.
fn name_of(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    loop {
        if let Some(named) = rest.strip_prefix("fn ") {
            return Some(
                named
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
        }
        let word = WORDS.iter().find(|word| rest.starts_with(**word))?;
        rest = &rest[word.len()..];
        if let Some(inside) = rest.strip_prefix('(') {
            rest = &inside[inside.find(')')? + 1..];
        }
        rest = rest.strip_prefix(' ')?;
        // The name of an ABI.
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted[quoted.find('"')? + 1..].trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_every_kind_are_seen() {
        let check = |head: &str| {
            let text = format!("    {head}\n        1\n    }}\n");
            assert_eq!(lengths(&text), [("f".to_owned(), 3)], "{head}");
        };
        for head in [
            "fn f() {",
            "pub fn f<T>() {",
            "pub(crate) async fn f() {",
            "pub(in crate::a) const fn f() {",
            "pub(super) unsafe extern \"C\" fn f() {",
        ] {
            check(head);
        }
        assert!(lengths("let fn_of = 1;\nfn f();\n").is_empty());
    }
}
