//! Long-lived bare collections: a struct field that can grow without limit needs a reason why it does not.

use super::lex::{Comment, Kind, Lexed, Token, group_end};
use super::{Finding, find};

/// Collections that grow as long as someone pushes.
const COLLECTIONS: &[&str] =
    &["Vec", "VecDeque", "HashMap", "HashSet", "BTreeMap", "BTreeSet", "BinaryHeap", "LinkedList", "IndexMap", "DashMap"];

/// Opens the comment that gives the reason, on the field's line or just above it.
const BOUNDED_BY: &str = "tidy: bounded by ";

/// Marks a struct, or above the first item a whole file, whose values do not outlive one call or message.
const SHORT_LIVED: &str = "tidy: short-lived";

/// Letters that a reason must have at least.
const REASON_LEN_MIN: usize = 4;

/// Finds every bare collection in a field, in code from which tests have been left out.
pub(crate) fn scan(file: &str, live: &[Token<'_>], lexed: &Lexed<'_>) -> Vec<Finding> {
    let first_item = lexed.tokens.iter().find(|token| ITEM_WORDS.iter().any(|word| token.is(word)));
    let head_end = first_item.map_or(usize::MAX, |token| token.line);
    if lexed.comments.iter().any(|comment| comment.line < head_end && is_note(comment, SHORT_LIVED)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (at, token) in live.iter().enumerate() {
        if !token.is("struct") || !live.get(at + 1).is_some_and(|name| name.kind == Kind::Word) {
            continue;
        }
        let above = line_before_item(live, at);
        if noted(&lexed.comments, above + 1, token.line, SHORT_LIVED) {
            continue;
        }
        if let Some(open) = body(live, at + 2) {
            fields(file, live, open, &lexed.comments, &mut findings);
        }
    }
    findings
}

const ITEM_WORDS: &[&str] = &["use", "mod", "pub", "struct", "enum", "fn", "const", "impl", "type", "static", "trait"];

/// The line on which whatever stands before this struct and its attributes ends; 0 at the top.
fn line_before_item(tokens: &[Token<'_>], at: usize) -> usize {
    let mut at = at;
    while let Some(before) = at.checked_sub(1).and_then(|place| tokens.get(place)) {
        match before.text {
            "pub" => at -= 1,
            ")" | "]" => {
                let close = before.text;
                let open = if close == ")" { "(" } else { "[" };
                let mut depth = 0_usize;
                while let Some(token) = at.checked_sub(1).and_then(|place| tokens.get(place)) {
                    depth += usize::from(token.is(close));
                    depth -= usize::from(token.is(open));
                    at -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                if close == "]" {
                    at = at.saturating_sub(1);
                }
            }
            _ => return before.line,
        }
    }
    0
}

/// The place of the bracket that opens the fields, past generics and bounds.
fn body(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let mut angle = 0_i32;
    for (offset, token) in tokens.get(start..)?.iter().enumerate() {
        match token.text {
            "<" => angle += 1,
            ">" => angle -= 1,
            "{" => return Some(start + offset),
            "(" if angle == 0 => return Some(start + offset),
            ";" if angle == 0 => return None,
            _ => {}
        }
    }
    None
}

fn fields(file: &str, tokens: &[Token<'_>], open: usize, comments: &[Comment<'_>], findings: &mut Vec<Finding>) {
    let close = group_end(tokens, open).saturating_sub(1);
    let (mut depth, mut angle) = (0_i32, 0_i32);
    let mut start = open + 1;
    for at in open + 1..=close {
        let Some(token) = tokens.get(at) else { return };
        let last = at == close;
        match token.text {
            _ if last => {}
            "(" | "[" | "{" if token.kind == Kind::Sign => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Sign => depth -= 1,
            "<" => angle += 1,
            ">" if !tokens.get(at - 1).is_some_and(|before| before.is("-") || before.is("=")) => angle -= 1,
            _ => {}
        }
        if last || (token.is(",") && depth == 0 && angle == 0) {
            let before = tokens.get(start - 1).map_or(0, |token| token.line);
            if let Some(kind) = collection(tokens, start, at)
                && !noted(comments, before + usize::from(before < kind.line), token.line, BOUNDED_BY)
            {
                let text = format!("{} in a field: use a container of bounded, or say `// {BOUNDED_BY}…` above it", kind.text);
                findings.push(find(file, kind.line, "field", &text));
            }
            start = at + 1;
        }
    }
}

/// The first owned collection among the tokens of one field.
fn collection<'a>(tokens: &[Token<'a>], start: usize, end: usize) -> Option<Token<'a>> {
    (start..end).find_map(|at| {
        let token = tokens.get(at)?;
        let generic = |place: usize| tokens.get(place).is_some_and(|next| next.is("<"));
        let is_type = generic(at + 1) || (tokens.get(at + 1).is_some_and(|next| next.is("::")) && generic(at + 2));
        (COLLECTIONS.iter().any(|name| token.is(name)) && is_type && !is_borrowed(tokens, at)).then_some(*token)
    })
}

/// Whether a `&` stands before the type, with or without a lifetime and `mut`.
fn is_borrowed(tokens: &[Token<'_>], at: usize) -> bool {
    let mut before = tokens.get(..at).unwrap_or_default().iter().rev();
    before.find(|token| !token.is("mut") && token.kind != Kind::Lifetime).is_some_and(|token| token.is("&"))
}

/// Whether a comment on these lines says this, with a reason after it where one is asked for.
pub(crate) fn noted(comments: &[Comment<'_>], from: usize, to: usize, note: &str) -> bool {
    comments.iter().any(|comment| (from..=to).contains(&comment.line) && is_note(comment, note))
}

fn is_note(comment: &Comment<'_>, note: &str) -> bool {
    // Documentation is for readers of the crate; the note is for readers of the code.
    let plain = comment.text.starts_with("// ");
    let Some((_, reason)) = comment.text.split_once(note).filter(|_| plain) else { return false };
    note == SHORT_LIVED || reason.trim().len() >= REASON_LEN_MIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lex::{lex, marks_test, without};

    #[track_caller]
    fn check(source: &str, expected: &[usize]) {
        let lexed = lex(source);
        let live = without(&lexed.tokens, marks_test);
        let lines: Vec<usize> = scan("a.rs", &live.tokens, &lexed).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, expected, "{source}");
    }

    #[test]
    fn bare_collections_are_found() {
        check("struct A {\n  a: u8,\n  b: Vec<u8>,\n}", &[3]);
        check("pub struct A<T: Into<Vec<u8>>>(pub T, Option<std::collections::VecDeque<T>>);", &[1]);
        check("struct A where u8: Copy {\n pub(crate) a: HashMap<u8, (u8, u8)>,\n b: Box<BTreeMap<u8, u8>>\n}", &[2, 3]);
        check("struct A { a: fn(u8) -> u8, b: Vec::<u8> }", &[1]);
        check("fn f() {} \n#[derive(Debug)]\npub(crate) struct A([u8; 3], Vec<u8>);", &[3]);
    }

    #[test]
    fn bounded_and_borrowed_fields_are_left_alone() {
        check("struct A { a: ArrayVec<u8, 3>, b: Ring<u8>, c: &'a mut Vec<u8>, d: Box<[u8]>, e: [u8; 3] }", &[]);
        check("struct A; struct B(); fn f(a: Vec<u8>) -> HashMap<u8, u8> { let b: Vec<u8> = a; }", &[]);
        check("#[cfg(test)] mod tests { struct A { a: Vec<u8> } }", &[]);
        check("// struct A { a: Vec<u8> }\nconst S: &str = \"struct A { a: Vec<u8> }\";", &[]);
    }

    #[test]
    fn a_reason_allows_its_own_field_only() {
        check("struct A {\n  // tidy: bounded by the configuration's symbols\n  a: Vec<u8>,\n  b: Vec<u8>,\n}", &[4]);
        check("struct A {\n  a: Vec<u8>, // tidy: bounded by SYMBOLS_MAX\n  b: Vec<u8>,\n}", &[3]);
        check(
            "struct A {\n  /// Text.\n  // tidy: bounded by SYMBOLS_MAX\n  #[serde(default)]\n  pub a: HashMap<\n    u8,\n    u8,\n  >,\n}",
            &[],
        );
    }

    #[test]
    fn a_note_without_a_reason_is_no_reason() {
        check("struct A {\n  // tidy: bounded by \n  a: Vec<u8>,\n}", &[3]);
        check("struct A {\n  /// tidy: bounded by SYMBOLS_MAX\n  a: Vec<u8>,\n}", &[3]);
    }

    #[test]
    fn short_lived_structs_and_files_are_left_alone() {
        check("//! Text.\n// tidy: short-lived, replies of the API\nuse a::b;\nstruct A { a: Vec<u8> }", &[]);
        check("use a::b;\n// tidy: short-lived, one request\n#[derive(Debug)]\npub struct A { a: Vec<u8> }\nstruct B { b: Vec<u8> }", &[5]);
        check("use a::b;\nstruct B { b: Vec<u8> }\n// tidy: short-lived, one request\npub struct A { a: Vec<u8> }", &[2]);
    }
}
