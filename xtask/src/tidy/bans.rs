//! Words that code outside `bounded` may not use, and words that pure crates may not use at all.

use super::lex::Token;
use super::paths::paths;
use super::{Finding, find};

/// One thing that may not be used.
pub(crate) struct Ban {
    /// Its name in the allow list.
    pub(crate) name: &'static str,
    /// Paths that name it, as segments that stand next to each other.
    paths: &'static [&'static [&'static str]],
    /// Words that name it wherever they stand.
    words: &'static [&'static str],
    /// Words that name it when they are called without arguments or imported.
    calls: &'static [&'static str],
    /// What to do instead.
    instead: &'static str,
}

/// Queues, tasks, threads and leaks: only `bounded` holds them, because only it enters them in the ledger.
pub(crate) const OUTSIDE_BOUNDED: &[Ban] = &[
    Ban {
        name: "unbounded",
        paths: &[],
        words: &["unbounded_channel", "UnboundedSender", "UnboundedReceiver"],
        calls: &["unbounded"],
        instead: "every queue has a capacity: use bounded::channel",
    },
    Ban {
        name: "spawn",
        paths: &[&["tokio", "spawn"], &["task", "spawn"]],
        words: &["spawn_local", "JoinSet"],
        calls: &[],
        instead: "every task has a name, an owner and a bound: use bounded::Tasks",
    },
    Ban {
        name: "futures",
        paths: &[],
        words: &["FuturesUnordered", "FuturesOrdered", "SelectAll"],
        calls: &[],
        instead: "a set of futures grows like a queue: use bounded::Tasks, or name its bound in the allow list",
    },
    Ban {
        name: "channel",
        paths: &[
            &["sync", "mpsc"],
            &["sync", "mpmc"],
            &["sync", "broadcast"],
            &["sync", "watch"],
            &["crossbeam_channel"],
            &["flume"],
            &["async_channel"],
        ],
        words: &["mpsc"],
        calls: &[],
        instead: "queues are entered in the ledger: use bounded::channel, Latest or Broadcast",
    },
    Ban {
        name: "leak",
        paths: &[&["Box", "leak"], &["Vec", "leak"], &["String", "leak"], &["mem", "forget"]],
        words: &[],
        calls: &["leak"],
        instead: "memory is given back: keep it in a container of bounded",
    },
    Ban {
        name: "thread",
        paths: &[&["thread", "spawn"], &["thread", "Builder"], &["thread", "scope"]],
        words: &[],
        calls: &[],
        instead: "threads belong to the runtime; a named thread of app needs a line in the allow list",
    },
    Ban {
        name: "blocking",
        paths: &[],
        words: &["spawn_blocking", "block_in_place"],
        calls: &[],
        instead: "blocking work goes through bounded::Tasks or needs a line in the allow list",
    },
];

/// Clock, sockets, threads, files, environment, randomness and sharing: pure code is given what it needs and returns what it wants.
pub(crate) const IN_PURE: &[Ban] = &[
    Ban {
        name: "clock",
        paths: &[&["time", "Instant"], &["time", "SystemTime"], &["time", "UNIX_EPOCH"]],
        words: &[],
        calls: &[],
        instead: "time is an argument",
    },
    Ban {
        name: "system",
        paths: &[
            &["std", "net"],
            &["std", "thread"],
            &["std", "fs"],
            &["std", "env"],
            &["std", "process"],
            &["std", "os"],
            &["io", "stdin"],
            &["io", "stdout"],
            &["io", "stderr"],
        ],
        words: &[],
        calls: &[],
        instead: "pure code has no socket, thread, file or environment: return an action",
    },
    Ban {
        name: "hasher",
        paths: &[
            &["collections", "HashMap"],
            &["collections", "HashSet"],
            &["collections", "hash_map"],
            &["collections", "hash_set"],
            &["hash", "RandomState"],
        ],
        words: &["RandomState"],
        calls: &[],
        instead: "iteration order is fixed: use bounded::Map or an ordered collection",
    },
];

/// Shared state, which pure crates above the floor do not have; `bounded` itself counts its grants in one place.
pub(crate) const IN_PURE_ABOVE_BOUNDED: &[Ban] = &[Ban {
    name: "sharing",
    paths: &[&["sync", "Mutex"], &["sync", "RwLock"], &["sync", "Arc"], &["rc", "Rc"], &["cell", "RefCell"]],
    words: &[],
    calls: &[],
    instead: "one loop owns its engine by &mut; values are sent, not shared (S-2)",
}];

/// Finds every use of the banned things in code from which tests have been left out.
pub(crate) fn scan(file: &str, tokens: &[Token<'_>], bans: &[Ban]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = paths(tokens);
    for ban in bans {
        for path in &named {
            let called = path.imported && path.segments.last().is_some_and(|last| ban.calls.contains(last));
            if called || ban.paths.iter().any(|wanted| path.contains(wanted) || path.hides(wanted)) {
                findings.push(find(file, path.line, ban.name, &format!("{}: {}", path.segments.join("::"), ban.instead)));
            }
        }
        for (at, token) in tokens.iter().enumerate() {
            let after = |count: usize, text: &str| tokens.get(at + count).is_some_and(|token| token.is(text));
            // With `fn` before it, it is somebody's own; a module of that name is followed by a name.
            let bare = (after(1, "(") && after(2, ")")) || (after(1, "::") && after(2, "<"));
            let own = at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| before.is("fn"));
            let called = bare && !own && ban.calls.iter().any(|call| token.is(call));
            // A path such as `Box::leak` was found above.
            let again = called && at > 1 && ban.paths.iter().any(|wanted| ends_with(tokens, at, wanted));
            if (called && !again) || ban.words.iter().any(|word| token.is(word)) {
                findings.push(find(file, token.line, ban.name, &format!("{}: {}", token.text, ban.instead)));
            }
        }
    }
    // One line may be found by its path and by its word.
    findings.sort_by(|a, b| (a.line, a.rule, &a.text).cmp(&(b.line, b.rule, &b.text)));
    findings.dedup_by(|a, b| a.line == b.line && a.rule == b.rule);
    findings
}

fn ends_with(tokens: &[Token<'_>], at: usize, wanted: &[&str]) -> bool {
    wanted
        .iter()
        .rev()
        .enumerate()
        .all(|(back, segment)| at.checked_sub(2 * back).and_then(|place| tokens.get(place)).is_some_and(|token| token.is(segment)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lex::{lex, marks_test, without};

    #[track_caller]
    fn check(bans: &[Ban], source: &str, expected: &[&str]) {
        let lexed = lex(source);
        let live = without(&lexed.tokens, marks_test);
        let found = scan("a.rs", &live.tokens, bans);
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, expected, "{source}\n{found:?}");
    }

    #[test]
    fn each_ban_outside_bounded_bites() {
        for (source, rule) in [
            ("let (a, b) = tokio::sync::mpsc::unbounded_channel();", &["channel", "unbounded"][..]),
            ("let c = unbounded();", &["unbounded"]),
            ("let c = unbounded::<u8>();", &["unbounded"]),
            ("use futures_channel::mpsc::unbounded;", &["channel", "unbounded"]),
            ("tokio::spawn(f());", &["spawn"]),
            ("use tokio::task; fn f() { task::spawn(g()) }", &["spawn"]),
            ("use tokio::{sync::{Mutex, watch}};", &["channel"]),
            ("let b = tokio::sync::broadcast::channel(3);", &["channel"]),
            ("use std::sync::mpsc;", &["channel"]),
            ("use tokio::sync::*;", &["channel"]),
            ("let set = JoinSet::new();", &["spawn"]),
            ("let set = FuturesUnordered::new();", &["futures"]),
            ("tokio::task::spawn_local(f())", &["spawn"]),
            ("Box::leak(a)", &["leak"]),
            ("a.leak()", &["leak"]),
            ("Vec::leak(a)", &["leak"]),
            ("std::mem::forget(a)", &["leak"]),
            ("use std::thread; fn f() { thread::spawn(g) }", &["thread"]),
            ("std::thread::Builder::new()", &["thread"]),
            ("tokio::task::spawn_blocking(f)", &["blocking"]),
        ] {
            check(OUTSIDE_BOUNDED, source, rule);
        }
    }

    #[test]
    fn each_ban_in_pure_crates_bites() {
        for source in ["use std::time::Instant;", "std::time::SystemTime::now()", "use std::{time::*};", "use std::time as t;"] {
            check(IN_PURE, source, &["clock"]);
        }
        for source in ["use std::net::TcpStream;", "std::thread::sleep(d)", "use std::fs;", "std::env::var(a)", "std::io::stdout()"] {
            check(IN_PURE, source, &["system"]);
        }
        for source in ["use std::collections::{BTreeMap, HashMap};", "use std::collections; type A = collections::HashSet<u8>;"] {
            check(IN_PURE, source, &["hasher"]);
        }
        check(IN_PURE, "use std::hash::RandomState;", &["hasher"]);
        check(IN_PURE_ABOVE_BOUNDED, "use std::sync::{Arc, Mutex};", &["sharing"]);
    }

    #[test]
    fn good_code_is_left_alone() {
        check(
            OUTSIDE_BOUNDED,
            "use plimsoll_bounded::{Tasks, channel, watch}; tasks.spawn(name, f()); let unbounded = 1; watch::Latest::new(); \
             // tokio::spawn\n let s = \"mpsc::channel\"; fn leaked() {} tokio::sync::oneshot::channel(); \
             let line = crate::leak::line(); impl A { fn leak(&self, bytes: usize) {} } a.leak(4); fn leak() {}",
            &[],
        );
        check(
            IN_PURE,
            "use std::time::Duration; use hashbrown::HashMap; use std::collections::BTreeMap; crate::time::now(); self.env",
            &[],
        );
    }

    #[test]
    fn tests_may_do_what_code_may_not() {
        check(OUTSIDE_BOUNDED, "#[cfg(test)] mod tests { fn f() { std::thread::spawn(g); } }", &[]);
        check(IN_PURE, "#[test] fn f() { std::time::Instant::now(); }", &[]);
    }
}
