//! Who may do what: passwords, sessions, tokens, one-time codes, and what was done.

mod admit;
mod handlers;
mod keeper;
mod password;
mod rows;
mod seal;
mod throttle;
mod totp;

pub use admit::Peer;
pub(crate) use admit::{Caller, Enter, Noted, Via, enter};
pub(crate) use handlers::{
    BeginTotp, ChangePassword, ConfirmTotp, Login, MakeToken, RemoveTotp, Setup, audit, begin_totp, confirm_totp, end_other_sessions,
    end_session, login, logout, make_token, remove_totp, reset, revoke_token, sessions, set_password, setup, status, tokens,
};
pub(crate) use keeper::Keeper;
pub use keeper::password_row;
pub use rows::{AuditEntry, AuditsWanted, LoginChange, Logins, Scope, SessionRow, TokenRow, UserRow, Vault, VaultError};
