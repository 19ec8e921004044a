//! All mistakes of a configuration at once.

use crate::config::{ChannelConfig, ChannelKind, Config, Email, Mistake, Rule, Security, TextLimit};
use crate::limits::{
    ACCOUNT_MAX, ADDRESS_MAX, AGE_MAX, ATTEMPTS_MAX, CHANNELS_MAX, COOLDOWN_MAX, INSTANCE_MAX, NAME_MAX, QUEUE_MAX, QUEUE_MIN,
    RECIPIENTS_MAX, RETRY_MAX, RETRY_MIN, RULE_NAMES_MAX, RULES_MAX, SYMBOL_MAX, TEXT_MIN, TIMEOUT_MAX, TIMEOUT_MIN,
};
use crate::target::{Target, check_secret, is_loopback};
use lettre::message::Mailbox;
use rustls::pki_types::ServerName;
use std::fmt::Debug;

impl Config {
    /// Looks for mistakes. Reads no file: certificates are read, and may fail, at the start.
    ///
    /// # Errors
    /// All of them, each with its key and what is allowed.
    pub fn check(&self) -> Result<(), Vec<Mistake>> {
        let mut found = Found { mistakes: Vec::new() };
        if self.instance.is_empty() || self.instance.len() > INSTANCE_MAX || self.instance.chars().any(char::is_control) {
            found.add("instance", format!("must be one line of 1 to {INSTANCE_MAX} bytes"));
        }
        found.within("cooldown", self.cooldown, std::time::Duration::ZERO, COOLDOWN_MAX);
        found.within("cooldown_critical", self.cooldown_critical, std::time::Duration::ZERO, COOLDOWN_MAX);
        found.within("channels", self.channels.len(), 0, CHANNELS_MAX);
        found.within("rules", self.rules.len(), 0, RULES_MAX);
        for (place, channel) in self.channels.iter().enumerate() {
            let before = self.channels.get(..place).unwrap_or_default();
            found.channel(channel, before.iter().any(|other| other.name == channel.name));
        }
        for (place, rule) in self.rules.iter().enumerate() {
            found.rule(place, rule, &self.channels);
        }
        if found.mistakes.is_empty() { Ok(()) } else { Err(found.mistakes) }
    }
}

// tidy: short-lived, one check
struct Found {
    mistakes: Vec<Mistake>,
}

impl Found {
    fn add(&mut self, key: &str, text: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.to_owned(), text: text.into() });
    }

    fn within<T: PartialOrd + Debug>(&mut self, key: &str, value: T, least: T, most: T) {
        if value < least || value > most {
            self.add(key, format!("{value:?} is not within {least:?} and {most:?}"));
        }
    }

    fn channel(&mut self, channel: &ChannelConfig, again: bool) {
        let ChannelConfig { name, kind, rate, retry, connect_timeout, timeout, queue, queue_critical, text_max, ca_file: _, allow_plain } =
            channel;
        let key = |key: &str| format!("channels.{name}.{key}");
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(good) {
            self.add("channels", format!("the name {name:?} must have 1 to {NAME_MAX} of a-z, 0-9, - and _"));
        } else if again {
            self.add("channels", format!("two are called {name:?}"));
        }
        if let Err((field, text)) = Target::of(channel) {
            self.add(&key(field), text);
        }
        let signing = match kind {
            ChannelKind::Webhook(webhook) => webhook.signing.as_ref(),
            ChannelKind::Feishu(robot) | ChannelKind::DingTalk(robot) => robot.signing.as_ref(),
            ChannelKind::Log
            | ChannelKind::Telegram(_)
            | ChannelKind::Slack(_)
            | ChannelKind::Discord(_)
            | ChannelKind::Email(_)
            | ChannelKind::WeCom(_) => None,
        };
        if let Some(Err((field, text))) = signing.map(|secret| check_secret("signing", secret)) {
            self.add(&key(field), text);
        }
        if let ChannelKind::Telegram(bot) = kind
            && (bot.chat.is_empty() || bot.chat.len() > 64 || !bot.chat.chars().all(|c| c.is_ascii_graphic()))
        {
            self.add(&key("chat"), "must be the number of a chat or @name, at most 64 bytes");
        }
        if let ChannelKind::Email(mail) = kind {
            self.mail(&key, mail, *allow_plain);
        }
        self.within(&key("rate.burst"), rate.burst, 1, 1_000);
        self.within(&key("rate.per_minute"), rate.per_minute, 1, 6_000);
        self.within(&key("retry.first"), retry.first, RETRY_MIN, RETRY_MAX);
        self.within(&key("retry.max"), retry.max, retry.first.max(RETRY_MIN), RETRY_MAX);
        self.within(&key("retry.attempts"), retry.attempts, 1, ATTEMPTS_MAX);
        self.within(&key("retry.age_max"), retry.age_max, retry.first, AGE_MAX);
        self.within(&key("connect_timeout"), *connect_timeout, TIMEOUT_MIN, TIMEOUT_MAX);
        self.within(&key("timeout"), *timeout, (*connect_timeout).max(TIMEOUT_MIN), TIMEOUT_MAX);
        self.within(&key("queue"), *queue, QUEUE_MIN, QUEUE_MAX);
        self.within(&key("queue_critical"), *queue_critical, QUEUE_MIN, QUEUE_MAX);
        let (TextLimit::Utf16(limit) | TextLimit::Bytes(limit)) = kind.text_limit();
        self.within(&key("text_max"), text_max.unwrap_or(limit), TEXT_MIN, limit);
    }

    fn mail(&mut self, key: &dyn Fn(&str) -> String, mail: &Email, allow_plain: bool) {
        let Email { host, port, security, user, password, from, to } = mail;
        if host.len() > ADDRESS_MAX || ServerName::try_from(host.as_str()).is_err() {
            self.add(&key("host"), "is not the name of a server");
        }
        if *port == Some(0) {
            self.add(&key("port"), "0 is no port");
        }
        if user.is_some() != password.is_some() {
            self.add(&key("user"), "user and password are given together or not at all");
        }
        if user.as_ref().is_some_and(|user| user.is_empty() || user.len() > ADDRESS_MAX || user.chars().any(char::is_control)) {
            self.add(&key("user"), format!("must have 1 to {ADDRESS_MAX} bytes without control characters"));
        }
        if let Some(Err((field, text))) = password.as_ref().map(|secret| check_secret("password", secret)) {
            self.add(&key(field), text);
        }
        if *security == Security::None && !is_loopback(host) && !allow_plain {
            self.add(&key("security"), "the server is not of this machine: use starttls or tls, or set allow_plain");
        }
        self.within(&key("to"), to.len(), 1, RECIPIENTS_MAX);
        for address in to.iter().chain([from]) {
            if address.len() > ADDRESS_MAX || address.parse::<Mailbox>().is_err() {
                let field = if std::ptr::eq(address, from) { "from" } else { "to" };
                self.add(&key(field), format!("{address:?} is not a mail address"));
            }
        }
    }

    fn rule(&mut self, place: usize, rule: &Rule, channels: &[ChannelConfig]) {
        let Rule { codes: _, severity_min: _, accounts, symbols, channels: told, cooldown, cooldown_critical } = rule;
        let key = |key: &str| format!("rules.{place}.{key}");
        for (field, names, most) in [("accounts", accounts, ACCOUNT_MAX), ("symbols", symbols, SYMBOL_MAX)] {
            self.within(&key(field), names.len(), 0, RULE_NAMES_MAX);
            for name in names.iter().filter(|name| name.is_empty() || name.len() > most) {
                self.add(&key(field), format!("{name:?} must have 1 to {most} bytes"));
            }
        }
        for name in told.iter().filter(|name| !channels.iter().any(|channel| channel.name == **name)) {
            self.add(&key("channels"), format!("there is no channel {name:?}"));
        }
        for (field, value) in [("cooldown", cooldown), ("cooldown_critical", cooldown_critical)] {
            self.within(&key(field), value.unwrap_or_default(), std::time::Duration::ZERO, COOLDOWN_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Hook, Rate, Retry, Robot, Telegram, Webhook};
    use crate::secret::Secret;
    use plimsoll_market::Severity;
    use std::time::Duration;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn good() -> Config {
        let mail = Email {
            host: "mail.example.org".into(),
            port: None,
            security: Security::StartTls,
            user: Some("bot".into()),
            password: Some(secret("hunter22")),
            from: "Bot <bot@example.org>".into(),
            to: vec!["me@example.org".into()],
        };
        let robot = Robot { base: None, hook: secret("abcdef"), signing: Some(secret("SECabc")) };
        let hook = Hook { base: None, hook: secret("abc/def") };
        let bot = Telegram { base: None, token: secret("123:abc"), chat: "-100123".into(), thread: Some(3), commanders: Vec::new() };
        let kinds = [
            ChannelKind::Log,
            ChannelKind::Webhook(Webhook { url: secret("https://example.org/x"), signing: None }),
            ChannelKind::Telegram(bot),
            ChannelKind::Slack(hook.clone()),
            ChannelKind::Discord(hook.clone()),
            ChannelKind::Email(Box::new(mail)),
            ChannelKind::Feishu(robot.clone()),
            ChannelKind::DingTalk(robot),
            ChannelKind::WeCom(hook),
        ];
        let mut config = Config::new("bot-1");
        config.channels = kinds.into_iter().map(|kind| ChannelConfig::new(kind.as_str(), kind)).collect();
        config.rules = vec![Rule::from(Severity::Critical, &["telegram", "email"])];
        config
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Config), expected: &[&str]) {
        let mut config = good();
        change(&mut config);
        let found: Vec<String> = config.check().err().unwrap_or_default().iter().map(Mistake::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn good_configurations_have_no_mistakes() {
        check(|_| (), &[]);
        check(
            |c| c.channels.clear(),
            &[r#"rules.0.channels: there is no channel "telegram""#, r#"rules.0.channels: there is no channel "email""#],
        );
        assert!(Config::new("x").check().is_ok());
    }

    #[test]
    fn both_sides_of_every_limit() {
        let queue = |n: usize| move |c: &mut Config| c.channels[0].queue = n;
        check(queue(QUEUE_MIN), &[]);
        check(queue(QUEUE_MIN - 1), &["channels.log.queue: 3 is not within 4 and 1024"]);
        check(queue(QUEUE_MAX), &[]);
        check(queue(QUEUE_MAX + 1), &["channels.log.queue: 1025 is not within 4 and 1024"]);
        let text = |n: usize| move |c: &mut Config| c.channels[4].text_max = Some(n);
        check(text(2000), &[]);
        check(text(2001), &["channels.discord.text_max: 2001 is not within 64 and 2000"]);
        check(text(TEXT_MIN - 1), &["channels.discord.text_max: 63 is not within 64 and 2000"]);
        check(|c| c.cooldown = COOLDOWN_MAX, &[]);
        check(|c| c.cooldown = COOLDOWN_MAX + Duration::from_secs(1), &["cooldown: 86401s is not within 0ns and 86400s"]);
        check(|c| c.instance = "x".repeat(INSTANCE_MAX), &[]);
        check(|c| c.instance = "x".repeat(INSTANCE_MAX + 1), &["instance: must be one line of 1 to 64 bytes"]);
        let many = |n: usize| {
            move |c: &mut Config| {
                c.rules.clear();
                c.channels = (0..n).map(|n| ChannelConfig::new(&format!("c{n}"), ChannelKind::Log)).collect();
            }
        };
        check(many(CHANNELS_MAX), &[]);
        check(many(CHANNELS_MAX + 1), &["channels: 17 is not within 0 and 16"]);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        check(
            |c| {
                c.channels[0].name = "Log!".into();
                c.channels[1].name = "slack".into();
                c.channels[2].kind = ChannelKind::Telegram(Telegram {
                    base: Some("x".into()),
                    token: secret("123:abc"),
                    chat: String::new(),
                    thread: None,
                    commanders: Vec::new(),
                });
                c.channels[3].rate = Rate { burst: 0, per_minute: 6_001 };
                c.channels[3].retry =
                    Retry { first: Duration::from_secs(9), max: Duration::from_secs(1), attempts: 0, age_max: Duration::ZERO };
                c.channels[3].connect_timeout = Duration::from_secs(20);
                if let ChannelKind::Email(mail) = &mut c.channels[5].kind {
                    mail.security = Security::None;
                    mail.password = None;
                    mail.to = vec!["nobody".into()];
                }
                c.rules[0].channels = vec!["pager".into()];
                c.rules[0].symbols = vec![String::new()];
            },
            &[
                r#"channels: the name "Log!" must have 1 to 32 of a-z, 0-9, - and _"#,
                "channels.telegram.base: does not begin with https:// or http://",
                "channels.telegram.chat: must be the number of a chat or @name, at most 64 bytes",
                r#"channels: two are called "slack""#,
                "channels.slack.rate.burst: 0 is not within 1 and 1000",
                "channels.slack.rate.per_minute: 6001 is not within 1 and 6000",
                "channels.slack.retry.max: 1s is not within 9s and 3600s",
                "channels.slack.retry.attempts: 0 is not within 1 and 1000",
                "channels.slack.retry.age_max: 0ns is not within 9s and 604800s",
                "channels.slack.timeout: 10s is not within 20s and 120s",
                "channels.email.user: user and password are given together or not at all",
                "channels.email.security: the server is not of this machine: use starttls or tls, or set allow_plain",
                r#"channels.email.to: "nobody" is not a mail address"#,
                r#"rules.0.symbols: "" must have 1 to 32 bytes"#,
                r#"rules.0.channels: there is no channel "pager""#,
            ],
        );
    }
}
