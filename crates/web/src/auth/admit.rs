//! The door of every route: who asks, whether he may, and what is written down of it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use plimsoll_market::Time;

use super::rows::{AuditEntry, Scope};
use super::seal::{Hash, csrf, same};
use crate::error::{ApiError, Code};
use crate::routes::Shared;
use crate::table::{Effect, Needs};

/// Whence a request comes, as the socket says. A request without it comes from nowhere that is trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(
    /// The address.
    pub IpAddr,
);

/// How somebody showed who he is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Via {
    /// The admin token of the file.
    Admin,
    /// A token for programs.
    Token {
        /// Its name in lists.
        id: String,
    },
    /// A session of the dashboard.
    Session {
        /// The hash of its secret.
        key: Hash,
        /// What a changing request must show.
        csrf: String,
        /// When it ends if it is not used again.
        expires: Time,
    },
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) via: Via,
}

impl Caller {
    /// The session's key; for routes that are about the session itself.
    pub(crate) fn session(&self) -> Result<Hash, ApiError> {
        match &self.via {
            Via::Session { key, .. } => Ok(*key),
            Via::Admin | Via::Token { .. } => {
                Err(ApiError::new(StatusCode::CONFLICT, "no_session", "this is about the session of a dashboard, and a token has none"))
            }
        }
    }
}

/// More to be written down about what was done; a handler puts it beside its answer.
#[derive(Clone, Debug)]
pub(crate) struct Noted(pub(crate) String);

/// A request's way in: the address that counts, as the proxy says where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Whence {
    pub(crate) address: IpAddr,
    /// Whether it is this machine, and no proxy speaks for others.
    pub(crate) near: bool,
}

/// What the door of one route needs.
#[derive(Clone)]
pub(crate) struct Enter {
    pub(crate) shared: Arc<Shared>,
    pub(crate) needs: Needs,
    pub(crate) effect: Effect,
}

/// Lets those in who may, and writes down what they change.
pub(crate) async fn enter(State(enter): State<Enter>, mut request: Request, next: Next) -> Response {
    let Enter { shared, needs, effect } = &enter;
    let from = shared.whence(&request);
    let caller = match shared.admit(*needs, from, &request) {
        Ok(caller) => caller,
        Err(unwelcome) => {
            let Unwelcome { caller, error } = *unwelcome;
            let response = error.into_response();
            if let (Effect::Changes(action), Some(caller)) = (effect, caller) {
                let target = request.uri().path().to_owned();
                let entry = entry(shared, action, Some(caller), from, target, &response);
                write_down(shared, entry).await;
            }
            return response;
        }
    };
    request.extensions_mut().insert(from);
    let Effect::Changes(action) = effect else {
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        return next.run(request).await;
    };
    let target = request.uri().path().to_owned();
    if let Some(caller) = caller.clone() {
        request.extensions_mut().insert(caller);
    }
    let response = next.run(request).await;
    let entry = entry(shared, action, caller, from, target, &response);
    write_down(shared, entry).await;
    response
}

async fn write_down(shared: &Shared, entry: Option<AuditEntry>) {
    if let Some(entry) = entry {
        shared.keeper.note(entry).await;
    }
}

/// Why somebody is not let in, and who it is, as far as that is known.
struct Unwelcome {
    caller: Option<Caller>,
    error: ApiError,
}

impl Unwelcome {
    fn new(caller: Option<Caller>, error: ApiError) -> Box<Self> {
        Box::new(Self { caller, error })
    }
}

/// What was refused only because somebody is to wait is not written down: it would fill the list.
const UNWRITTEN: &str = "throttled";

/// Has what became of a request written down.
fn entry(shared: &Shared, action: &str, caller: Option<Caller>, from: Whence, target: String, response: &Response) -> Option<AuditEntry> {
    let code = response.extensions().get::<Code>().map(|code| code.0);
    if code == Some(UNWRITTEN) {
        return None;
    }
    let outcome = match code {
        Some(code) => code.to_owned(),
        None if response.status().is_success() => "done".to_owned(),
        None => response.status().as_u16().to_string(),
    };
    let detail = response.extensions().get::<Noted>().map_or_else(String::new, |noted| noted.0.clone());
    let actor = match (caller, outcome.as_str()) {
        (Some(caller), _) => caller.name,
        // Who has just logged in was nobody when he asked.
        (None, "done") => super::keeper::OWNER.to_owned(),
        (None, _) => "nobody".to_owned(),
    };
    let (time, address) = (shared.ports.source.now(), from.address.to_string());
    Some(AuditEntry { time, actor, address, action: action.to_owned(), target, outcome, detail })
}

impl Shared {
    /// The address that a request comes from.
    pub(crate) fn whence(&self, request: &Request) -> Whence {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.to_canonical());
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
        if self.behind_proxy {
            // The last one is what our proxy saw; those before it are what its client claims.
            let told = forwarded.and_then(|list| list.to_str().ok()).and_then(|list| list.rsplit(',').next());
            let told = told.and_then(|last| last.trim().parse::<IpAddr>().ok()).map(|address| address.to_canonical());
            return Whence { address: told.or(peer).unwrap_or(nowhere), near: false };
        }
        let proxied = forwarded.is_some() || request.headers().contains_key(header::FORWARDED);
        Whence { address: peer.unwrap_or(nowhere), near: peer.is_some_and(|peer| peer.is_loopback()) && !proxied }
    }

    /// Whether the browser speaks to us, or to our proxy, through TLS.
    pub(crate) fn is_secure(&self, headers: &HeaderMap) -> bool {
        let forwarded = || headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
        self.tls || (self.behind_proxy && forwarded())
    }

    /// Finds out who asks, and whether he may. Who he is comes with the refusal, as far as that is known.
    fn admit(&self, needs: Needs, from: Whence, request: &Request) -> Result<Option<Caller>, Box<Unwelcome>> {
        let headers = request.headers();
        let wanted = match needs {
            Needs::Nothing => return Ok(None),
            Needs::OpenReading if self.open_reading && from.near => return Ok(None),
            Needs::Known => None,
            Needs::OpenReading => Some(Scope::Read),
            Needs::Scope(scope) => Some(scope),
        };
        let caller = match (self.identify(headers), wanted) {
            (Ok(caller), _) => caller,
            // Who only asks whether he is known gets an answer.
            (Err(_), None) => None,
            (Err(error), Some(_)) => return Err(Unwelcome::new(None, error)),
        };
        let Some(scope) = wanted else { return Ok(caller) };
        let Some(caller) = caller else { return Err(Unwelcome::new(None, login_needed())) };
        if caller.scope < scope {
            let detail = format!("this needs the scope {}, and {} has {}", scope.as_str(), caller.name, caller.scope.as_str());
            let error = ApiError::new(StatusCode::FORBIDDEN, "scope_needed", detail).hint("use a token that may do more");
            return Err(Unwelcome::new(Some(caller), error));
        }
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        if let (Via::Session { csrf, .. }, false) = (&caller.via, safe) {
            let shown = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
            if !shown.is_some_and(|shown| same(shown, csrf)) {
                let detail = "the request does not show the token of this session";
                let error = ApiError::new(StatusCode::FORBIDDEN, "csrf", detail);
                let error = error.hint("send X-CSRF-Token with the csrf of /api/auth/status; reload the page");
                return Err(Unwelcome::new(Some(caller), error));
            }
        }
        Ok(Some(caller))
    }

    /// Finds out who asks; `None` is nobody known.
    fn identify(&self, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
        let now = self.ports.source.now();
        if let Some(token) = bearer(headers) {
            if self.keeper.accepts_admin(token) {
                return Ok(Some(Caller { name: "admin token".to_owned(), scope: Scope::Admin, via: Via::Admin }));
            }
            if let Some((id, name, scope)) = self.keeper.token(token, now) {
                return Ok(Some(Caller { name: format!("token {name}"), scope, via: Via::Token { id } }));
            }
            self.refusals.count(now.millis());
            let error = ApiError::new(StatusCode::UNAUTHORIZED, "wrong_token", "the token is not known, or is over");
            return Err(error.hint("`plimsoll ctl` has the admin token; others are made in the dashboard's settings"));
        }
        let secret = cookie(headers, self.cookie_name(headers));
        Ok(secret.and_then(|secret| {
            let (key, expires) = self.keeper.session(secret, now)?;
            let via = Via::Session { key, csrf: csrf(secret), expires };
            Some(Caller { name: super::keeper::OWNER.to_owned(), scope: Scope::Admin, via })
        }))
    }

    pub(crate) fn cookie_name(&self, headers: &HeaderMap) -> &'static str {
        if self.is_secure(headers) { "__Host-plimsoll_session" } else { "plimsoll_session" }
    }
}

fn login_needed() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "login_needed", "this needs a login or a token")
        .hint("log in at the dashboard, or send `Authorization: Bearer …`; `plimsoll ctl` does")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}
