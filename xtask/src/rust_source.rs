//! Just enough of Rust's lexical grammar to tell code from comments, literals and tests.
//!
//! [`crate::tidy`] looks for words. A word in a comment or a text is no call, and SQL lives nowhere but in
//! literals, so the three are taken apart here. This is no parser: macros and generics need no understanding.

/// A source file, taken apart.
pub struct RustSource {
    /// The file with comments and the insides of literals blanked, lines kept.
    code: String,
    /// String literals with the line (from 1) on which they begin.
    literals: Vec<(usize, String)>,
    /// For each line whether it belongs to tests.
    tests: Vec<bool>,
}

impl RustSource {
    /// Takes a file apart. Malformed input gives a useless answer, never a panic: the compiler refuses it anyway.
    pub fn parse(text: &str) -> Self {
        let (code, literals) = separate(text);
        let tests = test_lines(&code);
        Self { code, literals, tests }
    }

    /// Lines of code outside tests, numbered from 1.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(number, _)| !self.is_test(*number))
    }

    /// All lines of code, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// String literals outside tests, with the line on which they begin.
    pub fn product_literals(&self) -> impl Iterator<Item = (usize, &str)> {
        let product = self.literals.iter().filter(|(line, _)| !self.is_test(*line));
        product.map(|(line, text)| (*line, text.as_str()))
    }

    fn is_test(&self, line: usize) -> bool {
        self.tests.get(line - 1).copied().unwrap_or(false)
    }
}

/// Splits a text into blanked code and literals.
fn separate(text: &str) -> (String, Vec<(usize, String)>) {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut code = String::with_capacity(text.len());
    let mut literals = Vec::new();
    let mut line = 1;
    let mut index = 0;
    while index < chars.len() {
        let end = match (at(index), at(index + 1)) {
            ('/', '/') => chars[index..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| index + length),
            ('/', '*') => end_of_block_comment(&chars, index),
            ('"', _) => end_of_text(&chars, index),
            ('r', '"' | '#') if !follows_name(&code) => match end_of_raw_text(&chars, index) {
                Some(end) => end,
                None => index + 1, // a raw name such as r#type
            },
            ('\'', _) => end_of_char(&chars, index),
            _ => index + 1,
        };
        let piece: String = chars[index..end].iter().collect();
        if piece.len() > 1 && (piece.ends_with('"') || piece.ends_with("\"#")) {
            let inside = piece.trim_start_matches(['r', '#']).trim_end_matches('#').trim_matches('"');
            literals.push((line, inside.to_owned()));
        }
        if end - index == 1 {
            code.push_str(&piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        line += piece.matches('\n').count();
        index = end;
    }
    (code, literals)
}

/// Whether the code so far ends inside a name, so that an `r` is part of it. Prefixes `b` and `c` are no names.
fn follows_name(code: &str) -> bool {
    let mut back = code.chars().rev();
    match back.next() {
        Some('b' | 'c') => back.next().is_some_and(|c| c.is_alphanumeric() || c == '_'),
        Some(c) => c.is_alphanumeric() || c == '_',
        None => false,
    }
}

fn end_of_block_comment(chars: &[char], begin: usize) -> usize {
    let mut depth = 0;
    let mut index = begin;
    while index < chars.len() {
        match (chars[index], chars.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    chars.len()
}

fn end_of_text(chars: &[char], begin: usize) -> usize {
    let mut index = begin + 1;
    while index < chars.len() {
        match chars[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    chars.len()
}

fn end_of_raw_text(chars: &[char], begin: usize) -> Option<usize> {
    let hashes = chars[begin + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(begin + 1 + hashes) != Some(&'"') {
        return None;
    }
    let mut index = begin + 2 + hashes;
    while index < chars.len() {
        let closed =
            chars[index] == '"' && chars[index + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        index += 1;
        if closed {
            return Some(index + hashes);
        }
    }
    Some(chars.len())
}

/// The end of a character, or of nothing more than the tick of a lifetime.
fn end_of_char(chars: &[char], begin: usize) -> usize {
    match (chars.get(begin + 1), chars.get(begin + 2)) {
        (Some('\\'), _) => {
            let rest = chars[(begin + 3).min(chars.len())..].iter().position(|c| *c == '\'');
            rest.map_or(chars.len(), |length| begin + 3 + length + 1)
        }
        (Some(_), Some('\'')) => begin + 3,
        _ => begin + 1,
    }
}

/// Marks the items under `#[cfg(test)]`; `#![cfg(test)]` marks the whole file.
fn test_lines(code: &str) -> Vec<bool> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut marks = vec![code.contains("#![cfg(test)]"); code.lines().count()];
    let mut from = 0;
    while let Some(found) = code[from..].find(ATTRIBUTE) {
        let begin = from + found;
        let end = end_of_item(code, begin + ATTRIBUTE.len());
        let first = code[..begin].matches('\n').count();
        let last = code[..end].matches('\n').count();
        for mark in marks.iter_mut().take(last + 1).skip(first) {
            *mark = true;
        }
        from = end;
    }
    marks
}

/// The end of the item that begins here: its closing brace, or its semicolon.
fn end_of_item(code: &str, begin: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in code[begin..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return begin + offset + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return begin + offset + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        RustSource::parse(text).code
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let code = code("let a = \"todo!()\"; // dbg!\n/* x /* y */ z */ b(r#\"c\"\"#, 'd', '\\'', b\"e\");");
        for word in ["todo", "dbg", "x", "z", "c", "d", "e"] {
            assert!(!code.replace("let", "").contains(word), "{word} in {code}");
        }
        assert!(code.contains("b("), "{code}");
    }

    #[test]
    fn lifetimes_and_raw_names_do_not_swallow_code() {
        let code = code("fn f<'a>(r#type: &'a str) -> &'a str { todo!() }");
        assert!(code.contains("todo!()"), "{code}");
    }

    #[test]
    fn literals_know_their_line_and_inside() {
        let source = RustSource::parse("const A: &str = \"one\n two\";\nconst B: &str = r\"three\";\n");
        let literals: Vec<_> = source.product_literals().collect();
        assert_eq!(literals, [(1, "one\n two"), (3, "three")]);
    }

    #[test]
    fn only_items_under_cfg_test_are_tests() {
        let source = RustSource::parse(
            "a();\n#[cfg(test)]\nmod tests {\n  fn b() { \"}\"; }\n}\nc();\n#[cfg(test)]\nuse d;\ne();\n",
        );
        let product: Vec<_> = source.product_lines().map(|(number, _)| number).collect();
        assert_eq!(product, [1, 6, 9]);
    }
}
