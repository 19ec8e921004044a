//! What each service wants to be sent, and how it says no.

use crate::config::{ChannelConfig, ChannelKind, TextLimit};
use crate::error::SendError;
use crate::http::{Answer, CaError, Dialer, Post, post, read_ca};
use crate::letter::{Kind, Letter};
use crate::limits::TEXT_MIN;
use crate::render::{body, cut, headline, json_of, text};
use crate::secret::{Note, Redactor, Secret};
use crate::sign;
use crate::smtp::Mailer;
use crate::target::{Target, Wrong};
use http::header::HeaderName;
use plimsoll_market::{AlertCode, Severity, Time};
use serde_json::{Value, json};
use std::time::Duration;

/// One channel's way to its service.
pub(crate) struct Transport {
    way: Way,
    limit: TextLimit,
    instance: String,
    boot_ms: u64,
    connect_timeout: Duration,
    timeout: Duration,
    redactor: Redactor,
}

enum Way {
    Log,
    Http { service: Service, target: Target, dialer: Dialer },
    Mail { mailer: Box<Mailer>, dialer: Dialer },
}

/// Services over HTTP, with what they need beside an address.
enum Service {
    Webhook { signing: Option<Secret> },
    Telegram { chat: String, thread: Option<i64> },
    Slack,
    Discord,
    Feishu { signing: Option<Secret> },
    DingTalk { signing: Option<Secret> },
    WeCom,
}

/// Why a channel cannot be set up.
#[derive(Debug)]
pub(crate) enum SetUp {
    Wrong(Wrong),
    Ca(CaError),
}

impl Transport {
    /// Sets up the way. Reads the file of certificates.
    pub(crate) fn new(config: &ChannelConfig, instance: &str, boot_ms: u64) -> Result<Self, SetUp> {
        let extra = config.ca_file.as_deref().map(read_ca).transpose().map_err(SetUp::Ca)?;
        let dialer = || Dialer::new(extra.as_deref()).map_err(SetUp::Ca);
        let target = Target::of(config).map_err(SetUp::Wrong)?;
        let mut secrets: Vec<String> = target.iter().map(|target| target.path.expose().to_owned()).collect();
        let mut add = |secret: &Option<Secret>| secrets.extend(secret.iter().map(|secret| secret.expose().to_owned()));
        let service = match &config.kind {
            ChannelKind::Log | ChannelKind::Email(_) => None,
            ChannelKind::Webhook(webhook) => {
                add(&Some(webhook.url.clone()));
                add(&webhook.signing);
                Some(Service::Webhook { signing: webhook.signing.clone() })
            }
            ChannelKind::Telegram(bot) => {
                add(&Some(bot.token.clone()));
                Some(Service::Telegram { chat: bot.chat.clone(), thread: bot.thread })
            }
            ChannelKind::Slack(hook) | ChannelKind::Discord(hook) | ChannelKind::WeCom(hook) => {
                add(&Some(hook.hook.clone()));
                match &config.kind {
                    ChannelKind::Slack(_) => Some(Service::Slack),
                    ChannelKind::Discord(_) => Some(Service::Discord),
                    _ => Some(Service::WeCom),
                }
            }
            ChannelKind::Feishu(robot) => {
                add(&Some(robot.hook.clone()));
                add(&robot.signing);
                Some(Service::Feishu { signing: robot.signing.clone() })
            }
            ChannelKind::DingTalk(robot) => {
                add(&Some(robot.hook.clone()));
                add(&robot.signing);
                Some(Service::DingTalk { signing: robot.signing.clone() })
            }
        };
        let way = match (&config.kind, service, target) {
            (ChannelKind::Email(email), _, _) => {
                add(&email.password);
                // As it goes over the wire.
                let plain = email.user.iter().zip(&email.password).map(|(user, word)| format!("\0{user}\0{}", word.expose()));
                secrets.extend(plain);
                let mailer = Box::new(Mailer::new(email, extra.as_deref()).map_err(SetUp::Ca)?);
                Way::Mail { mailer, dialer: dialer()? }
            }
            (_, Some(service), Some(target)) => Way::Http { service, target, dialer: dialer()? },
            _ => Way::Log,
        };
        let limit = match (config.kind.text_limit(), config.text_max) {
            (TextLimit::Utf16(most), max) => TextLimit::Utf16(max.unwrap_or(most).min(most).max(TEXT_MIN)),
            (TextLimit::Bytes(most), max) => TextLimit::Bytes(max.unwrap_or(most).min(most).max(TEXT_MIN)),
        };
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        drop(secrets.into_iter().map(Secret::new).collect::<Vec<_>>());
        let (connect_timeout, timeout) = (config.connect_timeout, config.timeout);
        Ok(Self { way, limit, instance: instance.to_owned(), boot_ms, connect_timeout, timeout, redactor })
    }

    /// Sends one letter, within the channel's time limit.
    pub(crate) async fn send(&self, letter: &Letter, now: Time) -> Result<(), SendError> {
        match &self.way {
            Way::Log => {
                log(letter, self.limit);
                Ok(())
            }
            Way::Mail { mailer, dialer } => {
                let subject = cut(&format!("[{}] {}", self.instance, headline(letter)), self.limit);
                let body = cut(&body(letter, &self.instance), self.limit);
                mailer.send(dialer, &subject, body, self.connect_timeout, self.timeout, &self.redactor).await
            }
            Way::Http { service, target, dialer } => {
                let message = self.write(service, letter, now);
                let answer = post(dialer, target, message, self.connect_timeout, self.timeout, &self.redactor).await?;
                service.judge(&answer, &self.redactor)
            }
        }
    }

    fn write(&self, service: &Service, letter: &Letter, now: Time) -> Post {
        let text = || text(letter, &self.instance, self.limit);
        let (mut headers, mut suffix) = ([None, None], String::new());
        let seconds = now.millis() / 1000;
        let json = match service {
            Service::Webhook { .. } => json_of(letter, &self.instance, self.boot_ms, self.limit),
            Service::Telegram { chat, thread } => {
                // Without `parse_mode` nothing in the text is markup, and nothing needs escapes.
                let mut json = json!({ "chat_id": chat, "text": text(), "disable_web_page_preview": true });
                if let (Some(thread), Some(object)) = (thread, json.as_object_mut()) {
                    object.insert("message_thread_id".to_owned(), json!(thread));
                }
                json
            }
            // Slack's three special characters; the limit is of what is shown.
            Service::Slack => json!({ "text": text().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") }),
            // A text may have an @everyone in it; nobody is to be called by that.
            Service::Discord => json!({ "content": text(), "allowed_mentions": { "parse": [] } }),
            Service::Feishu { signing } => {
                let mut json = json!({ "msg_type": "text", "content": { "text": text() } });
                if let (Some(secret), Some(object)) = (signing, json.as_object_mut()) {
                    object.insert("timestamp".to_owned(), json!(seconds.to_string()));
                    object.insert("sign".to_owned(), json!(sign::feishu(secret.expose(), seconds)));
                }
                json
            }
            Service::DingTalk { signing } => {
                if let Some(secret) = signing {
                    suffix = format!("&timestamp={}&sign={}", now.millis(), sign::dingtalk(secret.expose(), now.millis()));
                }
                json!({ "msgtype": "text", "text": { "content": text() } })
            }
            Service::WeCom => json!({ "msgtype": "text", "text": { "content": text() } }),
        };
        let body = json.to_string().into_bytes();
        if let Service::Webhook { signing: Some(secret) } = service {
            let signature = sign::webhook(secret.expose(), seconds, &body);
            headers = [
                Some((HeaderName::from_static("x-plimsoll-timestamp"), seconds.to_string())),
                Some((HeaderName::from_static("x-plimsoll-signature"), signature)),
            ];
        }
        Post { headers, suffix, body: body.into() }
    }
}

fn log(letter: &Letter, limit: TextLimit) {
    let Letter { id, kind, origin, count, first, last, .. } = letter;
    let (kind, code) = (kind.as_str(), letter.code.map_or("", AlertCode::as_str));
    let account = origin.account_name().unwrap_or_default();
    let symbol = origin.symbol_name().unwrap_or_default();
    let subject = origin.subject_name().unwrap_or_default();
    let (first_ms, last_ms) = (first.millis(), last.millis());
    let text = cut(&letter.text, limit);
    match letter.severity {
        Severity::Info => tracing::info!(id, kind, code, account, symbol, subject, count, first_ms, last_ms, text, "alert"),
        Severity::Warning => tracing::warn!(id, kind, code, account, symbol, subject, count, first_ms, last_ms, text, "alert"),
        Severity::Critical => tracing::error!(id, kind, code, account, symbol, subject, count, first_ms, last_ms, text, "alert"),
    }
}

impl Service {
    /// Whether an answer means that the message was taken.
    fn judge(&self, answer: &Answer, redactor: &Redactor) -> Result<(), SendError> {
        let Answer { status, retry_after, body } = answer;
        let raw = String::from_utf8_lossy(body.get(..body.len().min(2048)).unwrap_or_default());
        let json: Option<Value> = serde_json::from_slice(body).ok();
        // Where each of them writes what it means.
        let said = ["description", "errmsg", "msg", "message", "StatusMessage"];
        let said = json.as_ref().and_then(|json| said.iter().find_map(|key| json.get(key)?.as_str()));
        let text = redactor.note(said.unwrap_or(&raw));
        let number = |path: &str| json.as_ref().and_then(|json| json.pointer(path)).and_then(Value::as_f64);
        if *status == 429 {
            let wait = number("/parameters/retry_after").or_else(|| number("/retry_after"));
            let wait = wait.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            return Err(SendError::Limited { after: wait.max(*retry_after), text });
        }
        if !(200..300).contains(status) {
            // A maintenance page may say when to come back.
            return Err(match retry_after {
                Some(after) if *status == 503 => SendError::Limited { after: Some(*after), text },
                _ => SendError::Status { status: *status, text },
            });
        }
        let code = |path: &str| json.as_ref().and_then(|json| json.pointer(path)).and_then(Value::as_i64);
        match self {
            Self::Webhook { .. } | Self::Discord => Ok(()),
            Self::Slack if raw.trim() == "ok" => Ok(()),
            Self::Slack => Err(SendError::Strange { text }),
            Self::Telegram { .. } => match json.as_ref().and_then(|json| json.get("ok")).and_then(Value::as_bool) {
                Some(true) => Ok(()),
                Some(false) => Err(SendError::Service { code: code("/error_code").unwrap_or(0), text, busy: false }),
                None => Err(SendError::Strange { text }),
            },
            // The older form is `StatusCode`.
            Self::Feishu { .. } => judge_code(code("/code").or_else(|| code("/StatusCode")), FEISHU, text),
            Self::DingTalk { .. } => judge_code(code("/errcode"), DINGTALK, text),
            Self::WeCom => judge_code(code("/errcode"), WECOM, text),
        }
    }
}

/// Codes that mean "too many", with the pause that is due, and codes that mean "try again".
struct Codes {
    limited: &'static [i64],
    pause: Duration,
    busy: &'static [i64],
}

const FEISHU: Codes = Codes { limited: &[11_232, 99_991_400], pause: Duration::from_secs(60), busy: &[1_500, 11_233, 99_991_663] };
/// Who was too fast is locked out for ten minutes.
const DINGTALK: Codes = Codes { limited: &[130_101, 130_102, 410_100, 660_026], pause: Duration::from_secs(600), busy: &[-1] };
const WECOM: Codes = Codes { limited: &[45_009, 45_033], pause: Duration::from_secs(60), busy: &[-1] };

fn judge_code(code: Option<i64>, codes: Codes, text: Note) -> Result<(), SendError> {
    match code {
        Some(0) => Ok(()),
        Some(code) if codes.limited.contains(&code) => Err(SendError::Limited { after: Some(codes.pause), text }),
        Some(code) => Err(SendError::Service { code, text, busy: codes.busy.contains(&code) }),
        None => Err(SendError::Strange { text }),
    }
}

/// What an operator is sent who tries a channel.
pub(crate) fn test_letter(id: u64, now: Time) -> Letter {
    Letter::of_channel(id, Kind::Test, Severity::Info, "this channel works", now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.to_owned().into() }
    }

    #[track_caller]
    fn check(service: &Service, status: u16, body: &str, expected: &str) {
        let found = service.judge(&answer(status, body), &Redactor::new(["tokentoken"]));
        assert_eq!(found.map_or_else(|error| error.to_string(), |()| "taken".to_owned()), expected);
    }

    #[test]
    fn failures_inside_good_answers_are_recognised() {
        let dingtalk = Service::DingTalk { signing: None };
        check(&dingtalk, 200, r#"{"errcode":0,"errmsg":"ok"}"#, "taken");
        check(&dingtalk, 200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, "the service refused it with code 310000: sign not match");
        check(
            &dingtalk,
            200,
            r#"{"errcode":130101,"errmsg":"send too fast"}"#,
            "the service wants fewer messages (send too fast), in 600000 ms again",
        );
        let feishu = Service::Feishu { signing: None };
        check(&feishu, 200, r#"{"StatusCode":0,"StatusMessage":"success","code":0,"msg":"success"}"#, "taken");
        check(&feishu, 200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, "taken");
        check(&feishu, 200, r#"{"code":19021,"msg":"sign match fail"}"#, "the service refused it with code 19021: sign match fail");
        check(&Service::WeCom, 200, r#"{"errcode":0,"errmsg":"ok"}"#, "taken");
        check(
            &Service::WeCom,
            200,
            r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
            "the service refused it with code 93000: invalid webhook url",
        );
        check(&Service::WeCom, 200, r#"{"errcode":45009,"errmsg":"limit"}"#, "the service wants fewer messages (limit), in 60000 ms again");
        check(&Service::WeCom, 200, "<html>", "the answer is not the service's: <html>");
        let telegram = Service::Telegram { chat: String::new(), thread: None };
        check(&telegram, 200, r#"{"ok":true,"result":{}}"#, "taken");
        check(&telegram, 200, r#"{"ok":false,"error_code":400,"description":"x"}"#, "the service refused it with code 400: x");
        check(&telegram, 200, "{}", "the answer is not the service's: {}");
        check(&Service::Slack, 200, "ok", "taken");
        check(&Service::Slack, 200, "invalid_payload", "the answer is not the service's: invalid_payload");
        check(&Service::Discord, 204, "", "taken");
    }

    #[test]
    fn pauses_are_read_from_headers_and_bodies() {
        let telegram = Service::Telegram { chat: String::new(), thread: None };
        let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}"#;
        check(&telegram, 429, body, "the service wants fewer messages (Too Many Requests: retry after 5), in 5000 ms again");
        check(
            &Service::Discord,
            429,
            r#"{"message":"slow","retry_after":0.65}"#,
            "the service wants fewer messages (slow), in 650 ms again",
        );
        let both = Answer { retry_after: Some(Duration::from_secs(2)), ..answer(429, r#"{"retry_after":0.65}"#) };
        let error = Service::Discord.judge(&both, &Redactor::new([])).unwrap_err();
        assert!(matches!(error, SendError::Limited { after: Some(after), .. } if after == Duration::from_secs(2)), "{error}");
        for odd in ["-1", "1e300", "\"x\"", "null"] {
            check(&Service::Discord, 429, &format!(r#"{{"message":"m","retry_after":{odd}}}"#), "the service wants fewer messages (m)");
        }
    }

    #[test]
    fn secrets_that_services_repeat_are_taken_out() {
        check(&Service::Discord, 400, r#"{"message":"tokentoken is bad"}"#, "the service answered 400: [redacted] is bad");
        check(&Service::Discord, 502, "no route to /hooks/tokentoken", "the service answered 502: no route to /hooks/[redacted]");
    }

    #[test]
    fn no_answer_is_a_panic() {
        use rand_core::{RngCore, SeedableRng};
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(7);
        for _ in 0..2_000 {
            let body: Vec<u8> = (0..rng.next_u32() % 64).map(|_| br#"{}[]":,0123456789aeotk\u-."#[rng.next_u32() as usize % 25]).collect();
            for service in [Service::Slack, Service::WeCom, Service::Discord, Service::Feishu { signing: None }] {
                let status = 100 + (rng.next_u32() % 500) as u16;
                drop(service.judge(&Answer { status, retry_after: None, body: body.clone().into() }, &Redactor::new([])));
            }
        }
    }
}
