//! A small Rust lexer: enough to tell code from comments, strings and tests. It never fails; odd text gives odd tokens.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word,
    /// A lifetime with its tick.
    Lifetime,
    /// A number, character or string.
    Literal,
    /// `::` or any other single sign.
    Sign,
}

/// One token and the line (from 1) on which it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    /// The token as written.
    pub(crate) text: &'a str,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its line, from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether this is exactly that word or sign; a string that contains it is not.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// One comment line or block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comment<'a> {
    /// The comment with its slashes.
    pub(crate) text: &'a str,
    /// Its first line, from 1.
    pub(crate) line: usize,
}

/// A file taken apart.
pub(crate) struct Lexed<'a> {
    /// The code.
    pub(crate) tokens: Vec<Token<'a>>,
    /// The comments, documentation included.
    pub(crate) comments: Vec<Comment<'a>>,
}

/// Takes a file apart.
pub(crate) fn lex(text: &str) -> Lexed<'_> {
    let mut lexer = Lexer { text, at: 0, line: 1 };
    let mut lexed = Lexed { tokens: Vec::new(), comments: Vec::new() };
    while let Some(next) = lexer.peek(0) {
        let (start, line) = (lexer.at, lexer.line);
        let kind = match next {
            c if c.is_whitespace() => {
                lexer.bump();
                continue;
            }
            '/' if lexer.rest().starts_with("//") => {
                lexer.bump_while(|c| c != '\n');
                lexed.comments.push(Comment { text: lexer.since(start), line });
                continue;
            }
            '/' if lexer.rest().starts_with("/*") => {
                lexer.block_comment();
                lexed.comments.push(Comment { text: lexer.since(start), line });
                continue;
            }
            '"' => lexer.string(),
            '\'' => lexer.tick(),
            c if c.is_ascii_digit() => lexer.number(),
            c if c == '_' || c.is_alphabetic() => lexer.word(),
            ':' if lexer.rest().starts_with("::") => {
                lexer.bump();
                lexer.bump();
                Kind::Sign
            }
            _ => {
                lexer.bump();
                Kind::Sign
            }
        };
        lexed.tokens.push(Token { text: lexer.since(start), kind, line });
    }
    lexed
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    fn bump(&mut self) {
        if let Some(c) = self.peek(0) {
            self.at += c.len_utf8();
            self.line += usize::from(c == '\n');
        }
    }

    fn bump_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.bump();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.peek(0).is_some() {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.bump();
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.bump();
            }
            self.bump();
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) -> Kind {
        self.bump();
        while let Some(c) = self.peek(0) {
            self.bump();
            match c {
                '\\' => self.bump(),
                '"' => break,
                _ => {}
            }
        }
        Kind::Literal
    }

    fn raw_string(&mut self) -> Kind {
        let start = self.at;
        self.bump_while(|c| c == '#');
        let hashes = self.at - start;
        self.bump();
        while let Some(c) = self.peek(0) {
            self.bump();
            if c == '"' && self.rest().bytes().take(hashes).filter(|&b| b == b'#').count() == hashes {
                for _ in 0..hashes {
                    self.bump();
                }
                break;
            }
        }
        Kind::Literal
    }

    /// A character, or a lifetime.
    fn tick(&mut self) -> Kind {
        self.bump();
        if self.peek(0) == Some('\\') {
            self.bump();
            self.bump();
            self.bump_while(|c| c != '\'');
            self.bump();
            return Kind::Literal;
        }
        if self.peek(1) == Some('\'') {
            self.bump();
            self.bump();
            return Kind::Literal;
        }
        self.bump_while(|c| c == '_' || c.is_alphanumeric());
        Kind::Lifetime
    }

    fn number(&mut self) -> Kind {
        let digits = |c: char| c == '_' || c.is_alphanumeric();
        self.bump_while(digits);
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
            self.bump_while(digits);
        }
        Kind::Literal
    }

    /// A word, or the prefix of a string or a byte.
    fn word(&mut self) -> Kind {
        let start = self.at;
        self.bump_while(|c| c == '_' || c.is_alphanumeric());
        let word = self.since(start);
        let rest = self.rest();
        let raw = rest.trim_start_matches('#').starts_with('"');
        match word {
            "r" | "br" | "cr" if raw => self.raw_string(),
            "b" | "c" if rest.starts_with('"') => self.string(),
            "b" if rest.starts_with('\'') => self.tick(),
            "r" if rest.starts_with('#') => {
                self.bump();
                self.bump_while(|c| c == '_' || c.is_alphanumeric());
                Kind::Word
            }
            _ => Kind::Word,
        }
    }
}

/// What is left of a file without the items that an attribute switches off.
pub(crate) struct Live<'a> {
    /// The tokens of the items that stay.
    pub(crate) tokens: Vec<Token<'a>>,
    /// Modules kept in files of their own that were switched off (`#[cfg(test)] mod tests;`).
    pub(crate) modules: Vec<&'a str>,
    /// The whole file is switched off by an inner attribute.
    pub(crate) whole_file: bool,
}

/// Leaves out every item under an attribute for which `off` is true; it is given the words inside the brackets.
pub(crate) fn without<'a>(tokens: &[Token<'a>], off: impl Fn(&[Token<'a>]) -> bool) -> Live<'a> {
    let mut live = Live { tokens: Vec::new(), modules: Vec::new(), whole_file: false };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let inner = tokens.get(at + 1).is_some_and(|next| next.is("!"));
        let open = at + 1 + usize::from(inner);
        if !(token.is("#") && tokens.get(open).is_some_and(|next| next.is("["))) {
            live.tokens.push(*token);
            at += 1;
            continue;
        }
        let end = group_end(tokens, open);
        let is_off = tokens.get(open + 1..end.saturating_sub(1)).is_some_and(&off);
        if is_off && inner {
            live.whole_file = true;
            live.tokens.clear();
            return live;
        }
        if is_off {
            at = item_end(tokens, end, &mut live.modules);
        } else {
            live.tokens.extend(tokens.get(at..end).unwrap_or_default());
            at = end;
        }
    }
    live
}

/// Whether an attribute marks tests: `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`, `#[tokio::test]`.
pub(crate) fn marks_test(attribute: &[Token<'_>]) -> bool {
    let word = |at: usize, text: &str| attribute.get(at).is_some_and(|token| token.is(text));
    if word(0, "cfg") {
        return word(2, "test") || (word(2, "all") && attribute.iter().any(|token| token.is("test")));
    }
    let name: Vec<_> = attribute.iter().take_while(|token| !token.is("(")).collect();
    name.last().is_some_and(|token| token.is("test"))
}

/// Whether an attribute gates its item on exactly this cargo feature.
pub(crate) fn marks_feature(attribute: &[Token<'_>], quoted: &str) -> bool {
    let texts: Vec<&str> = attribute.iter().map(|token| token.text).collect();
    texts == ["cfg", "(", "feature", "=", quoted, ")"]
}

/// The place after the bracket group that opens at `open`.
pub(crate) fn group_end(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, token) in tokens.iter().skip(open).enumerate() {
        match token.text {
            "(" | "[" | "{" if token.kind == Kind::Sign => depth += 1,
            ")" | "]" | "}" if token.kind == Kind::Sign => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return open + offset + 1;
        }
    }
    tokens.len()
}

/// The place after the item, statement or field that starts at `start`; a `mod name;` is added to `modules`.
fn item_end<'a>(tokens: &[Token<'a>], start: usize, modules: &mut Vec<&'a str>) -> usize {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.is(text));
    let mut at = start;
    while is(at, "#") {
        at = group_end(tokens, at + 1);
    }
    if is(at, "pub") {
        at += 1;
        if is(at, "(") {
            at = group_end(tokens, at);
        }
    }
    if is(at, "mod") && is(at + 2, ";") {
        modules.extend(tokens.get(at + 1).map(|token| token.text));
        return at + 3;
    }
    let field = is(at + 1, ":") || is(at + 1, ",");
    while let Some(token) = tokens.get(at) {
        if token.kind != Kind::Sign {
            at += 1;
            continue;
        }
        match token.text {
            ";" => return at + 1,
            "," if field => return at + 1,
            "{" => return group_end(tokens, at),
            "(" | "[" => at = group_end(tokens, at),
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        let lexed = lex(source);
        let words: Vec<&str> = lexed.tokens.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text).collect();
        assert_eq!(words.join(" "), expected);
    }

    #[track_caller]
    fn check_live(source: &str, expected: &str) {
        let live = without(&lex(source).tokens, marks_test);
        let words: Vec<&str> = live.tokens.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text).collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        check("a // b\nc /* d /* e */ f */ g", "a c g");
        check(r##"a "b \" c" r#"d " e"# b"f" b'g' 'h' '\'' '\u{41}' i"##, "a i");
        check("fn f<'a>(x: &'a str) -> r#type { 0..10; 1.5e-9 }", "fn f x str r#type");
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let lexed = lex("/* 1\n2 */ \"3\n4\"\nfive");
        assert_eq!(lexed.tokens.last().unwrap().line, 4);
        assert_eq!(lexed.comments[0].line, 1);
    }

    #[test]
    fn test_items_are_left_out_and_nothing_else() {
        check_live("fn a() {} #[cfg(test)] mod tests { fn b() { { } } } fn c() {}", "fn a fn c");
        check_live("#[cfg(test)] #[rustfmt::skip] pub(crate) fn a(b: [u8; 3]) -> u8 { 1 } fn c() {}", "fn c");
        check_live("struct S { #[cfg(test)] a: Vec<u8>, b: u8 }", "struct S b u8");
        check_live("#[cfg(test)] use a::b; fn c() {}", "fn c");
        check_live("#[tokio::test(start_paused = true)] async fn a() {} fn c() {}", "fn c");
        check_live("#[cfg(not(test))] fn a() {}", "cfg not test fn a");
        check_live("#[cfg(any(test, feature = \"x\"))] fn a() {}", "cfg any test feature fn a");
        check_live("#[derive(Debug)] struct A;", "derive Debug struct A");
    }

    #[test]
    fn test_modules_in_files_are_named() {
        let source = lex("#[cfg(test)]\nmod tests;\nmod live;");
        let live = without(&source.tokens, marks_test);
        assert_eq!(live.modules, ["tests"]);
        assert!(without(&lex("#![cfg(test)] fn a() {}").tokens, marks_test).whole_file);
    }

    #[test]
    fn features_are_told_apart() {
        let source = lex("#[cfg(feature = \"tokio\")] mod channel; #[cfg(feature = \"other\")] mod kept;");
        let live = without(&source.tokens, |attribute| marks_feature(attribute, "\"tokio\""));
        assert_eq!(live.modules, ["channel"]);
    }
}
