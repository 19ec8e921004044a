//! The paths that code names: `use` trees written out, and `a::b::c` in expressions and types.

use super::lex::{Kind, Token};

/// A path as code names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// Its segments; the last is `*` for a glob import.
    pub(crate) segments: Vec<&'a str>,
    /// The line of its last segment.
    pub(crate) line: usize,
    /// It is imported under another name.
    pub(crate) renamed: bool,
    /// It is imported by `use`.
    pub(crate) imported: bool,
}

impl Named<'_> {
    /// Whether these segments stand next to each other somewhere in the path.
    pub(crate) fn contains(&self, wanted: &[&str]) -> bool {
        self.segments.windows(wanted.len()).any(|window| window == wanted)
    }

    /// Whether a glob or a renamed module of the standard library or tokio would let `wanted` in unseen.
    pub(crate) fn hides(&self, wanted: &[&str]) -> bool {
        let Some((_, module)) = wanted.split_last().filter(|(_, module)| !module.is_empty()) else { return false };
        let outside = matches!(self.segments.first(), Some(&("std" | "core" | "alloc" | "tokio")));
        let path = match self.segments.split_last() {
            Some((&"*", path)) => path,
            _ if self.renamed => self.segments.as_slice(),
            _ => return false,
        };
        outside && path.ends_with(module)
    }
}

/// Every path in the code, single words left out unless they are imported.
pub(crate) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<Named<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is("use") && !tokens.get(at + 1).is_some_and(|next| next.is("<")) {
            at = use_tree(tokens, at + 1, &mut Vec::new(), &mut found);
        } else if token.kind == Kind::Word {
            let mut named = Named { segments: vec![token.text], line: token.line, renamed: false, imported: false };
            while tokens.get(at + 1).is_some_and(|sign| sign.is("::"))
                && let Some(next) = tokens.get(at + 2).filter(|next| next.kind == Kind::Word)
            {
                named.segments.push(next.text);
                named.line = next.line;
                at += 2;
            }
            if named.segments.len() > 1 {
                found.push(named);
            }
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one branch of a `use` tree and returns the place after it.
fn use_tree<'a>(tokens: &[Token<'a>], mut at: usize, prefix: &mut Vec<&'a str>, found: &mut Vec<Named<'a>>) -> usize {
    let depth = prefix.len();
    let mut pending = None;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "::" => {
                pending = None;
                at += 1;
            }
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !token.is("}")) {
                    at = use_tree(tokens, at, prefix, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.is(",")));
                }
                at += 1;
                pending = None;
                break;
            }
            "as" => {
                if let Some(named) = pending.take() {
                    found.push(Named { renamed: true, ..named });
                }
                at += 2;
                break;
            }
            "," | ";" | "}" => break,
            text => {
                prefix.push(text);
                pending = Some(Named { segments: prefix.clone(), line: token.line, renamed: false, imported: true });
                at += 1;
            }
        }
    }
    found.extend(pending);
    prefix.truncate(depth);
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lex::lex;

    #[track_caller]
    fn check(source: &str, expected: &[&str]) {
        let lexed = lex(source);
        let found: Vec<String> = paths(&lexed.tokens).iter().map(|named| named.segments.join("::")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn use_trees_are_written_out() {
        check("use std::time::Instant;", &["std::time::Instant"]);
        check(
            "use std::{fs, time::{Duration, Instant as Now}, net::*};",
            &["std::fs", "std::time::Duration", "std::time::Instant", "std::net::*"],
        );
        check("pub use ::std::{self as s, collections::{HashMap,},};", &["std::self", "std::collections::HashMap"]);
        check("use a; fn f() -> impl Fn() + use<'a> { b::c() }", &["a", "b::c"]);
    }

    #[test]
    fn expressions_and_types_are_seen() {
        check("let a: std::time::Instant = time::Instant::now();", &["std::time::Instant", "time::Instant::now"]);
        check("Vec::<u8>::leak(x); Box::leak(y)", &["Box::leak"]);
        check("// std::fs\nlet s = \"std::fs\";", &[]);
    }

    #[test]
    fn globs_and_new_names_hide_nothing() {
        let hidden = |source: &str| {
            let lexed = lex(source);
            paths(&lexed.tokens).iter().any(|named| named.hides(&["time", "Instant"]))
        };
        assert!(hidden("use std::time::*;"));
        assert!(hidden("use std::time as t;"));
        assert!(!hidden("use std::time::Duration;"));
        assert!(!hidden("use crate::time::*;"));
        assert!(!hidden("use std::fmt::*;"));
    }
}
