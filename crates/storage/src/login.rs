//! Who may use the API, who is logged in, and what was done through it.
//!
//! Storage keeps the rows and knows nothing of passwords or scopes: what is secret comes hashed or sealed.

use plimsoll_bounded::reply;
use plimsoll_market::Time;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::commit::durable;
use crate::db::Db;
use crate::entity::{audit, web_sessions, web_tokens, web_users};
use crate::error::StoreError;
use crate::limits::{AUDIT_TEXT_MAX, LOGIN_CHANGES_MAX, LOGIN_ROWS_MAX, LOGIN_TEXT_MAX};
use crate::read::{Page, Reader, RowLimit, page};
use crate::rows::{nanos, time};
use crate::store::Store;
use crate::writer::Command;

/// Somebody who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name; one row each.
    pub name: String,
    /// The password's hash, with its parameters.
    pub password: String,
    /// The sealed secret of one-time codes; `None` without them.
    pub totp: Option<String>,
    /// The last step whose one-time code was taken.
    pub totp_step: u64,
    /// Hashes of the recovery codes that are left, with blanks between them.
    pub recovery: String,
    /// When the row last changed.
    pub changed: Time,
}

/// Somebody who is logged in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its name in lists; one row each.
    pub id: String,
    /// The hash of what the browser holds.
    pub hash: String,
    /// When it began.
    pub created: Time,
    /// When it was last used, as far as that was stored.
    pub seen: Time,
    /// What the browser calls itself.
    pub agent: String,
    /// Whence it came.
    pub address: String,
}

/// A token for programs.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name in lists; one row each.
    pub id: String,
    /// The hash of the token.
    pub hash: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: String,
    /// When it was made.
    pub created: Time,
    /// When it was last used, as far as that was stored.
    pub used: Option<Time>,
    /// When it ends.
    pub expires: Option<Time>,
}

/// Something that was done through the API, or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub time: Time,
    /// Who.
    pub actor: String,
    /// Whence.
    pub address: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// What came of it.
    pub outcome: String,
    /// More about it; beyond [`AUDIT_TEXT_MAX`] bytes this and all other texts are cut.
    pub detail: String,
}

/// Such an entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place in the list; grows with each.
    pub id: i64,
    /// What was done.
    pub entry: AuditEntry,
}

/// All that is needed to know who may do what.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct LoginRows {
    /// Who may log in.
    pub users: Vec<UserRow>, // tidy: bounded by LOGIN_ROWS_MAX, as are all here
    /// Who is logged in.
    pub sessions: Vec<SessionRow>, // tidy: bounded by LOGIN_ROWS_MAX
    /// The tokens.
    pub tokens: Vec<TokenRow>, // tidy: bounded by LOGIN_ROWS_MAX
}

/// A change of who may do what; several are made in one transaction.
#[derive(Clone, PartialEq, Eq)]
pub enum LoginChange {
    /// Stores a user, instead of the row of this name if there is one.
    User(UserRow),
    /// Forgets a user.
    ForgetUser(String),
    /// Stores a session, likewise by its id.
    Session(SessionRow),
    /// Forgets a session.
    ForgetSession(String),
    /// Stores a token, likewise by its id.
    Token(TokenRow),
    /// Forgets a token.
    ForgetToken(String),
}

impl LoginChange {
    fn check(&self) -> Result<(), StoreError> {
        let length: usize = match self {
            Self::User(UserRow { name, password, totp, recovery, .. }) => {
                name.len() + password.len() + totp.as_deref().map_or(0, str::len) + recovery.len()
            }
            Self::Session(SessionRow { id, hash, agent, address, .. }) => id.len() + hash.len() + agent.len() + address.len(),
            Self::Token(TokenRow { id, hash, name, scope, .. }) => id.len() + hash.len() + name.len() + scope.len(),
            Self::ForgetUser(id) | Self::ForgetSession(id) | Self::ForgetToken(id) => id.len(),
        };
        if length > LOGIN_TEXT_MAX {
            return Err(StoreError::TooMuch { what: "bytes of a row", value: length as u64, most: LOGIN_TEXT_MAX as u64 });
        }
        Ok(())
    }
}

impl Store {
    /// Makes changes of who may do what, all or none; they survive a power cut once this returns.
    ///
    /// # Errors
    /// When they could not be stored, are more than [`LOGIN_CHANGES_MAX`], or one has more than [`LOGIN_TEXT_MAX`] bytes of text.
    ///
    /// # Cancel safety
    /// Given up, they may or may not be made.
    pub async fn change_login(&self, changes: Vec<LoginChange>) -> Result<(), StoreError> {
        if changes.len() > LOGIN_CHANGES_MAX {
            return Err(StoreError::TooMuch { what: "changes", value: changes.len() as u64, most: LOGIN_CHANGES_MAX as u64 });
        }
        changes.iter().try_for_each(LoginChange::check)?;
        let (reply, answer) = reply();
        self.ask(Command::Login { changes, reply }).await?;
        self.wait(answer).await
    }

    /// Writes down what was done; it survives a power cut once this returns.
    ///
    /// # Errors
    /// When it could not be stored.
    ///
    /// # Cancel safety
    /// Given up, it may or may not be stored.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let (reply, answer) = reply();
        self.ask(Command::Audit { entry: Box::new(entry), reply }).await?;
        self.wait(answer).await
    }
}

impl Reader {
    /// Reads who may do what.
    ///
    /// # Errors
    /// When the database does not answer.
    ///
    /// # Bounds
    /// [`LOGIN_ROWS_MAX`] of each.
    pub async fn login(&self) -> Result<LoginRows, StoreError> {
        let (users, sessions, tokens) = self
            .with("storage.read_login", async |from| {
                let users = web_users::Entity::find().order_by_asc(web_users::Column::Name).limit(LOGIN_ROWS_MAX).all(from).await?;
                let sessions =
                    web_sessions::Entity::find().order_by_desc(web_sessions::Column::SeenNs).limit(LOGIN_ROWS_MAX).all(from).await?;
                let tokens = web_tokens::Entity::find().order_by_asc(web_tokens::Column::CreatedNs).limit(LOGIN_ROWS_MAX).all(from).await?;
                Ok((users, sessions, tokens))
            })
            .await?;
        Ok(LoginRows {
            users: users.into_iter().map(read_user).collect(),
            sessions: sessions.into_iter().map(read_session).collect(),
            tokens: tokens.into_iter().map(read_token).collect(),
        })
    }

    /// Reads what was done through the API, the newest first, those before a place in the list, of one kind or of all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit(&self, action: Option<&str>, before: Option<i64>, limit: RowLimit) -> Result<Page<AuditRow, i64>, StoreError> {
        use audit::Column as C;
        let mut query = audit::Entity::find();
        if let Some(action) = action {
            query = query.filter(C::Action.eq(action));
        }
        if let Some(before) = before {
            query = query.filter(C::Id.lt(before));
        }
        let query = query.order_by_desc(C::Id).limit(u64::from(limit.rows()));
        let rows = self.with("storage.read_audit", async |from| query.all(from).await).await?;
        page(rows, limit, |row| Ok(read_audit(row)), |row| row.id)
    }
}

/// Makes changes of who may do what; durable.
pub(crate) async fn change(db: &Db, changes: Vec<LoginChange>) -> Result<(), StoreError> {
    durable(db, "storage.login", async |to| {
        for change in changes {
            match change {
                LoginChange::User(row) => {
                    use web_users::Column as C;
                    let columns = [C::Password, C::Totp, C::TotpStep, C::Recovery, C::ChangedNs];
                    let known = OnConflict::column(C::Name).update_columns(columns).to_owned();
                    web_users::Entity::insert(user(row)).on_conflict(known).exec_without_returning(to).await?;
                }
                LoginChange::Session(row) => {
                    use web_sessions::Column as C;
                    let known = OnConflict::column(C::Id).update_columns([C::Hash, C::SeenNs, C::Agent, C::Address]).to_owned();
                    web_sessions::Entity::insert(session(row)).on_conflict(known).exec_without_returning(to).await?;
                }
                LoginChange::Token(row) => {
                    use web_tokens::Column as C;
                    let known = OnConflict::column(C::Id).update_columns([C::Hash, C::Name, C::Scope, C::UsedNs, C::ExpiresNs]).to_owned();
                    web_tokens::Entity::insert(token(row)).on_conflict(known).exec_without_returning(to).await?;
                }
                LoginChange::ForgetUser(name) => {
                    web_users::Entity::delete_by_id(name).exec(to).await?;
                }
                LoginChange::ForgetSession(id) => {
                    web_sessions::Entity::delete_by_id(id).exec(to).await?;
                }
                LoginChange::ForgetToken(id) => {
                    web_tokens::Entity::delete_by_id(id).exec(to).await?;
                }
            }
        }
        Ok(())
    })
    .await
}

/// Writes down what was done; durable.
pub(crate) async fn write_audit(db: &Db, entry: AuditEntry) -> Result<(), StoreError> {
    let cut = |text: &str| text.get(..text.floor_char_boundary(AUDIT_TEXT_MAX)).unwrap_or_default().to_owned();
    let AuditEntry { time, actor, address, action, target, outcome, detail } = &entry;
    let row = audit::ActiveModel {
        id: NotSet,
        time_ns: Set(nanos(*time)),
        actor: Set(cut(actor)),
        address: Set(cut(address)),
        action: Set(cut(action)),
        target: Set(cut(target)),
        outcome: Set(cut(outcome)),
        detail: Set(cut(detail)),
    };
    durable(db, "storage.audit", async |to| audit::Entity::insert(row).exec_without_returning(to).await.map(drop)).await
}

fn user(row: UserRow) -> web_users::ActiveModel {
    let UserRow { name, password, totp, totp_step, recovery, changed } = row;
    web_users::ActiveModel {
        name: Set(name),
        password: Set(password),
        totp: Set(totp),
        totp_step: Set(i64::try_from(totp_step).unwrap_or(i64::MAX)),
        recovery: Set(recovery),
        changed_ns: Set(nanos(changed)),
    }
}

fn session(row: SessionRow) -> web_sessions::ActiveModel {
    let SessionRow { id, hash, created, seen, agent, address } = row;
    web_sessions::ActiveModel {
        id: Set(id),
        hash: Set(hash),
        created_ns: Set(nanos(created)),
        seen_ns: Set(nanos(seen)),
        agent: Set(agent),
        address: Set(address),
    }
}

fn token(row: TokenRow) -> web_tokens::ActiveModel {
    let TokenRow { id, hash, name, scope, created, used, expires } = row;
    web_tokens::ActiveModel {
        id: Set(id),
        hash: Set(hash),
        name: Set(name),
        scope: Set(scope),
        created_ns: Set(nanos(created)),
        used_ns: Set(used.map(nanos)),
        expires_ns: Set(expires.map(nanos)),
    }
}

fn read_user(row: web_users::Model) -> UserRow {
    let web_users::Model { name, password, totp, totp_step, recovery, changed_ns } = row;
    UserRow { name, password, totp, totp_step: u64::try_from(totp_step).unwrap_or(0), recovery, changed: time(changed_ns) }
}

fn read_session(row: web_sessions::Model) -> SessionRow {
    let web_sessions::Model { id, hash, created_ns, seen_ns, agent, address } = row;
    SessionRow { id, hash, created: time(created_ns), seen: time(seen_ns), agent, address }
}

fn read_token(row: web_tokens::Model) -> TokenRow {
    let web_tokens::Model { id, hash, name, scope, created_ns, used_ns, expires_ns } = row;
    TokenRow { id, hash, name, scope, created: time(created_ns), used: used_ns.map(time), expires: expires_ns.map(time) }
}

fn read_audit(row: audit::Model) -> AuditRow {
    let audit::Model { id, time_ns, actor, address, action, target, outcome, detail } = row;
    AuditRow { id, entry: AuditEntry { time: time(time_ns), actor, address, action, target, outcome, detail } }
}
