//! Who may use the API, and what was done through it.

use std::time::Duration;

use crate::common::{everywhere, open};
use plimsoll_market::Time;
use plimsoll_storage::limits::{AUDIT_TEXT_MAX, LOGIN_CHANGES_MAX, LOGIN_TEXT_MAX};
use plimsoll_storage::{AuditEntry, Keep, LoginChange, LoginRows, RawStoreConfig, Retained, RowLimit, SessionRow, TokenRow, UserRow};

const DEADLINE: Duration = Duration::from_secs(20);

/// Seconds after an instant at which there was trading.
fn at(second: u64) -> Time {
    Time::from_millis(1_700_000_000_000 + second * 1_000)
}

fn user(password: &str) -> UserRow {
    UserRow {
        name: "owner".into(),
        password: password.into(),
        totp: Some("sealed".into()),
        totp_step: 56_666_666,
        recovery: "a b c".into(),
        changed: at(7),
    }
}

fn session(id: &str, seen: u64) -> SessionRow {
    SessionRow {
        id: id.into(),
        hash: format!("hash of {id}"),
        created: at(1),
        seen: at(seen),
        agent: "Browser".into(),
        address: "::1".into(),
    }
}

fn token(id: &str, used: Option<u64>) -> TokenRow {
    TokenRow {
        id: id.into(),
        hash: format!("hash of {id}"),
        name: "grafana".into(),
        scope: "read".into(),
        created: at(1),
        used: used.map(at),
        expires: Some(at(9)),
    }
}

/// One row of each table.
pub fn rows() -> Vec<LoginChange> {
    vec![LoginChange::User(user("hash")), LoginChange::Session(session("a", 2)), LoginChange::Token(token("t", None))]
}

pub fn entry(second: u64, action: &str) -> AuditEntry {
    AuditEntry {
        time: at(second),
        actor: "owner".into(),
        address: "127.0.0.1".into(),
        action: action.into(),
        target: "/api/control/pause".into(),
        outcome: "done".into(),
        detail: String::new(),
    }
}

#[tokio::test]
async fn who_may_do_what_comes_back_after_a_restart() {
    everywhere("login_rows", async |place| {
        let store = place.open().await;
        assert!(store.reader().login().await.unwrap() == LoginRows::default());
        let changes = vec![
            LoginChange::User(user("first")),
            LoginChange::User(user("second")),
            LoginChange::Session(session("a", 2)),
            LoginChange::Session(session("b", 3)),
            LoginChange::Session(session("c", 4)),
            LoginChange::Token(token("t", None)),
            LoginChange::Token(token("u", None)),
        ];
        store.change_login(changes).await.unwrap();
        let changes = vec![
            LoginChange::Session(session("a", 9)),
            LoginChange::ForgetSession("b".into()),
            LoginChange::Token(token("t", Some(8))),
            LoginChange::ForgetToken("u".into()),
            LoginChange::ForgetToken("nobody".into()),
        ];
        store.change_login(changes).await.unwrap();
        store.stop(DEADLINE).await.unwrap();

        let store = place.open().await;
        let found = store.reader().login().await.unwrap();
        let expected =
            LoginRows { users: vec![user("second")], sessions: vec![session("a", 9), session("c", 4)], tokens: vec![token("t", Some(8))] };
        assert!(found == expected);
        store.change_login(vec![LoginChange::ForgetUser("owner".into())]).await.unwrap();
        assert!(store.reader().login().await.unwrap().users.is_empty());
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn too_much_at_once_is_refused_as_a_whole() {
    everywhere("login_limits", async |place| {
        let store = place.open().await;
        let forget = || LoginChange::ForgetSession("x".into());
        store.change_login((0..LOGIN_CHANGES_MAX).map(|_| forget()).collect()).await.unwrap();
        store.change_login((0..=LOGIN_CHANGES_MAX).map(|_| forget()).collect()).await.unwrap_err();
        let with = |agent: usize| SessionRow { agent: "x".repeat(agent), ..session("a", 1) };
        let rest = with(0).id.len() + with(0).hash.len() + with(0).address.len();
        store.change_login(vec![LoginChange::Session(with(LOGIN_TEXT_MAX - rest))]).await.unwrap();
        let refused = vec![LoginChange::ForgetSession("a".into()), LoginChange::Session(with(LOGIN_TEXT_MAX - rest + 1))];
        store.change_login(refused).await.unwrap_err();
        assert_eq!(store.reader().login().await.unwrap().sessions.len(), 1, "nothing of it was done");
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_done_is_paged_and_found_by_kind() {
    everywhere("audit_pages", async |place| {
        let store = place.open().await;
        for second in 0..7 {
            store.audit(entry(second, if second % 2 == 0 { "login" } else { "control" })).await.unwrap();
        }
        let reader = store.reader();
        let limit = |rows| RowLimit::new(rows).unwrap();
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = reader.audit(None, before, limit(3)).await.unwrap();
            seen.extend(page.rows.iter().map(|row| row.entry.time));
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (0..7).rev().map(at).collect::<Vec<_>>());
        let logins = reader.audit(Some("login"), None, limit(100)).await.unwrap();
        assert_eq!(logins.rows.iter().map(|row| row.entry.clone()).collect::<Vec<_>>(), [6, 4, 2, 0].map(|second| entry(second, "login")));
        store.audit(AuditEntry { detail: "ä".repeat(AUDIT_TEXT_MAX), ..entry(8, "long") }).await.unwrap();
        let long = reader.audit(Some("long"), None, limit(1)).await.unwrap();
        assert_eq!(long.rows[0].entry.detail, "ä".repeat(AUDIT_TEXT_MAX / 2));
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_done_goes_by_age_and_number() {
    everywhere("audit_keep", async |place| {
        let mut raw: RawStoreConfig = place.config();
        raw.retention.audit = Keep { days: 10, rows: 4 };
        let store = open(raw).await.unwrap();
        let day = 86_400;
        for second in [day, 89 * day, 99 * day, 99 * day + 1, 99 * day + 2, 99 * day + 3, 99 * day + 4] {
            store.audit(entry(second, "login")).await.unwrap();
        }
        let done = store.retain(at(100 * day)).await.unwrap();
        assert_eq!(done, Retained { audit: 3, ..Retained::default() });
        let left = store.reader().audit(None, None, RowLimit::default()).await.unwrap();
        assert_eq!(left.rows.iter().map(|row| row.entry.time).collect::<Vec<_>>(), [4, 3, 2, 1].map(|n| at(99 * day + n)));
        // A disk that is short takes none of them.
        assert_eq!(store.shed(at(100 * day)).await.unwrap().audit, 0);
        store.stop(DEADLINE).await.unwrap();
    })
    .await;
}
