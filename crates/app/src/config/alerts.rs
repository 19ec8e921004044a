//! The section `alerts`: channels, rules, cool-downs.

use super::keys::{CHANNEL_KEYS, RULE_KEYS};
use super::reader::{Checked, Mistake, Values, read};
use super::{SecretSource, duration, int, optional, text};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::limits::SPEAKERS_MAX;
use plimsoll_notify::limits::{CHANNELS_MAX, RULES_MAX};
use plimsoll_notify::{ChannelConfig, ChannelKind, Email, Hook, Robot, Rule, Secret, Security, Telegram, Webhook};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// The section, checked; secrets are not read yet.
#[derive(Clone, Debug)]
pub struct AlertsConfig {
    /// Silence after an alert of the same key.
    pub cooldown: Duration,
    /// The same for critical ones.
    pub cooldown_critical: Duration,
    channels: Vec<Values>, // tidy: bounded by CHANNELS_MAX, lives as long as the start
    rules: Vec<Rule>,      // tidy: bounded by RULES_MAX, lives as long as the start
}

/// Reads the section's lists.
pub fn read_alerts(map: &Map<String, Value>, values: &Values, mistakes: &mut Vec<Mistake>) -> AlertsConfig {
    let section = map.get("alerts");
    let mut channels = Vec::new();
    for (i, item) in list(section, "channels", CHANNELS_MAX, mistakes).iter().enumerate() {
        let prefix = format!("alerts.channels[{i}].");
        let before = mistakes.len();
        let values = read(item, CHANNEL_KEYS, &prefix, &[], mistakes);
        if mistakes.len() == before {
            channels.push(values);
        }
    }
    let mut rules = Vec::new();
    for (i, item) in list(section, "rules", RULES_MAX, mistakes).iter().enumerate() {
        let prefix = format!("alerts.rules[{i}].");
        let before = mistakes.len();
        let values = read(item, RULE_KEYS, &prefix, &[], mistakes);
        if mistakes.len() > before {
            continue;
        }
        let mut codes = Vec::new();
        for word in words(&values, "codes") {
            match AlertCode::parse(&word) {
                Some(code) => codes.push(code),
                None => {
                    let known: Vec<&str> = AlertCode::ALL.iter().map(|code| code.as_str()).collect();
                    let what = format!("{word:?} is no code of an alert; allowed: {}", known.join(" | "));
                    mistakes.push(Mistake { key: format!("{prefix}codes"), what });
                }
            }
        }
        let cooldown = |key| match values.get(key) {
            Some(Checked::Duration(d)) => Some(*d),
            _ => None,
        };
        rules.push(Rule {
            codes,
            severity_min: Severity::parse(&text(&values, "severity")).unwrap_or(Severity::Info),
            accounts: words(&values, "accounts"),
            symbols: words(&values, "symbols"),
            channels: words(&values, "channels"),
            cooldown: cooldown("cooldown"),
            cooldown_critical: cooldown("cooldown_critical"),
        });
    }
    let cooldown = |key| duration(values, key);
    AlertsConfig { cooldown: cooldown("alerts.cooldown"), cooldown_critical: cooldown("alerts.cooldown_critical"), channels, rules }
}

fn list<'v>(section: Option<&'v Value>, name: &str, max: usize, mistakes: &mut Vec<Mistake>) -> Vec<&'v Map<String, Value>> {
    let refuse = || Mistake { key: format!("alerts.{name}"), what: format!("must be a list of at most {max} mappings") };
    let items = match section.and_then(|section| section.get(name)) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) if items.len() <= max => items,
        Some(_) => {
            mistakes.push(refuse());
            return Vec::new();
        }
    };
    let maps: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    if maps.len() < items.len() {
        mistakes.push(refuse());
    }
    maps
}

fn words(values: &Values, key: &str) -> Vec<String> {
    match values.get(key) {
        Some(Checked::List(words)) => words.clone(),
        _ => Vec::new(),
    }
}

impl AlertsConfig {
    /// What the notifier needs, with the secrets read from the environment and from files.
    ///
    /// # Errors
    /// All mistakes, with their keys.
    pub fn resolve(&self, instance: &str) -> anyhow::Result<plimsoll_notify::Config> {
        let mut config = plimsoll_notify::Config::new(instance);
        config.cooldown = self.cooldown;
        config.cooldown_critical = self.cooldown_critical;
        config.rules.clone_from(&self.rules);
        // Bots that start together should not all try again at the same moment.
        config.seed = u64::from(std::process::id());
        let mut mistakes = Vec::new();
        for values in &self.channels {
            match channel(values, &|name| read_secret(values, name)) {
                Ok(channel) => config.channels.push(channel),
                Err(error) => mistakes.push(format!("alerts.channels.{}: {error}", text(values, "name"))),
            }
        }
        if mistakes.is_empty()
            && let Err(found) = config.check()
        {
            mistakes.extend(found.iter().map(|mistake| format!("alerts.{mistake}")));
        }
        if mistakes.is_empty() { Ok(config) } else { Err(anyhow::anyhow!("alerts cannot be sent:\n  {}", mistakes.join("\n  "))) }
    }
}

impl AlertsConfig {
    /// The channels and rules as far as they can be known without secrets: for the memory plan.
    pub fn shape(&self) -> plimsoll_notify::Config {
        let mut config = plimsoll_notify::Config::new("shape");
        // What a channel takes depends on its kind and not on its secret.
        config.channels.extend(self.channels.iter().filter_map(|values| channel(values, &|_| Ok(Secret::new("unknown".to_owned()))).ok()));
        config.rules.clone_from(&self.rules);
        config
    }
}

/// Reads a channel's secret, `secret` or `signing`, from the environment or from its file.
fn read_secret(values: &Values, name: &str) -> anyhow::Result<Secret> {
    let source =
        SecretSource { env: text(values, &format!("{name}_env")), file: optional(values, &format!("{name}_file")).map(PathBuf::from) };
    if source.env.is_empty() && source.file.is_none() {
        anyhow::bail!("needs {name}_env or {name}_file: the variable or file that holds its secret");
    }
    Ok(Secret::new(crate::secret::read("secret of the alert channel", &source)?))
}

/// Numbers of the people who may command over a Telegram bot.
fn commanders(values: &Values) -> anyhow::Result<Vec<i64>> {
    let named = words(values, "commanders");
    anyhow::ensure!(named.len() <= SPEAKERS_MAX, "commanders lists {} people; allowed: {SPEAKERS_MAX}", named.len());
    let number = |text: &String| {
        text.parse().map_err(|_| anyhow::anyhow!("commanders: {text} is no number of a person; Telegram's @userinfobot tells yours"))
    };
    named.iter().map(number).collect()
}

fn channel(values: &Values, secret: &dyn Fn(&str) -> anyhow::Result<Secret>) -> anyhow::Result<ChannelConfig> {
    let signing = || -> anyhow::Result<Option<Secret>> {
        let named = optional(values, "signing_env").is_some() || optional(values, "signing_file").is_some();
        if named { secret("signing").map(Some) } else { Ok(None) }
    };
    let base = || optional(values, "base");
    let kind = match text(values, "kind").as_str() {
        "webhook" => ChannelKind::Webhook(Webhook { url: secret("secret")?, signing: signing()? }),
        "telegram" => ChannelKind::Telegram(Telegram {
            base: base(),
            token: secret("secret")?,
            chat: text(values, "chat"),
            thread: match values.get("thread") {
                Some(Checked::Int(thread)) => Some(*thread),
                _ => None,
            },
            commanders: commanders(values)?,
        }),
        "slack" => ChannelKind::Slack(Hook { base: base(), hook: secret("secret")? }),
        "discord" => ChannelKind::Discord(Hook { base: base(), hook: secret("secret")? }),
        "wecom" => ChannelKind::WeCom(Hook { base: base(), hook: secret("secret")? }),
        "feishu" => ChannelKind::Feishu(Robot { base: base(), hook: secret("secret")?, signing: signing()? }),
        "dingtalk" => ChannelKind::DingTalk(Robot { base: base(), hook: secret("secret")?, signing: signing()? }),
        "email" => {
            let user = optional(values, "user");
            ChannelKind::Email(Box::new(Email {
                host: text(values, "host"),
                port: match values.get("port") {
                    Some(Checked::Int(port)) => u16::try_from(*port).ok(),
                    _ => None,
                },
                security: match text(values, "security").as_str() {
                    "none" => Security::None,
                    "starttls" => Security::StartTls,
                    _ => Security::Tls,
                },
                password: if user.is_some() { Some(secret("secret")?) } else { None },
                user,
                from: text(values, "from"),
                to: words(values, "to"),
            }))
        }
        _ => ChannelKind::Log,
    };
    let mut channel = ChannelConfig::new(&text(values, "name"), kind);
    if let Some(Checked::Int(per_minute)) = values.get("per_minute") {
        channel.rate.per_minute = u32::try_from(*per_minute).unwrap_or(channel.rate.per_minute);
        channel.rate.burst = channel.rate.burst.min(channel.rate.per_minute);
    }
    channel.timeout = duration(values, "timeout");
    channel.connect_timeout = channel.connect_timeout.min(channel.timeout);
    channel.retry.attempts = u32::try_from(int(values, "attempts")).unwrap_or(channel.retry.attempts);
    channel.ca_file = optional(values, "ca_file").map(PathBuf::from);
    channel.allow_plain = text(values, "allow_plain") == "true";
    Ok(channel)
}
