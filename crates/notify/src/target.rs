use crate::config::{ChannelConfig, ChannelKind, Telegram};
use crate::limits::{ADDRESS_MAX, SECRET_MAX, SECRET_MIN};
use crate::secret::{Secret, percent};
use http::Uri;
use http::uri::PathAndQuery;
use rustls::pki_types::ServerName;
use std::net::IpAddr;

/// A host and how it is reached.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as the `Host` header has them.
    pub(crate) authority: String,
}

/// Where a channel's requests go. Path and query are the secret.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) end: End,
    pub(crate) path: Secret,
}

impl End {
    /// Whether what is sent there stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads an address; the text of the error never has the address in it.
fn parse(url: &str) -> Result<(End, String), &'static str> {
    if url.len() > SECRET_MAX {
        return Err("is longer than 4096 bytes");
    }
    let uri: Uri = url.parse().map_err(|_| "is not an address")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("does not begin with https:// or http://"),
    };
    let authority = uri.authority().ok_or("is not an address")?;
    if authority.as_str().contains('@') {
        return Err("has a user or password before the host, which is not supported");
    }
    // The address of an IPv6 host has brackets, a socket's has none.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if ServerName::try_from(host.clone()).is_err() {
        return Err("has no valid host");
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    Ok((End { tls, host, port, authority: authority.as_str().to_owned() }, path))
}

/// Reads the address of a service, to be put before paths.
fn parse_base(base: &str) -> Result<(End, String), &'static str> {
    if base.len() > ADDRESS_MAX {
        return Err("is longer than 512 bytes");
    }
    let (end, path) = parse(base)?;
    if path.contains('?') {
        return Err("has a query, which a base address cannot have");
    }
    Ok((end, path.trim_end_matches('/').to_owned()))
}

/// A key within the channel, and what is wrong with it.
pub(crate) type Wrong = (&'static str, &'static str);

impl Target {
    /// A method of a Telegram bot.
    pub(crate) fn telegram(bot: &Telegram, method: &str) -> Result<Self, Wrong> {
        check_secret("token", &bot.token)?;
        if !bot.token.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:".contains(&b)) {
            return Err(("token", "has characters that no token has: it looks like 123456:ABC…"));
        }
        let path = format!("/bot{}/{method}", bot.token.expose());
        Self::below(bot.base.as_deref().unwrap_or("https://api.telegram.org"), "token", path)
    }

    /// Finds where a channel's requests go; `None` for channels that make none.
    pub(crate) fn of(config: &ChannelConfig) -> Result<Option<Self>, Wrong> {
        let target = match &config.kind {
            ChannelKind::Log | ChannelKind::Email(_) => return Ok(None),
            ChannelKind::Webhook(webhook) => Self::whole("url", &webhook.url)?,
            ChannelKind::Telegram(bot) => Self::telegram(bot, "sendMessage")?,
            ChannelKind::Slack(hook) => Self::hook(hook.base.as_deref(), "https://hooks.slack.com", "/services/", &hook.hook)?,
            ChannelKind::Discord(hook) => Self::hook(hook.base.as_deref(), "https://discord.com", "/api/webhooks/", &hook.hook)?,
            ChannelKind::Feishu(robot) => {
                Self::hook(robot.base.as_deref(), "https://open.feishu.cn", "/open-apis/bot/v2/hook/", &robot.hook)?
            }
            ChannelKind::DingTalk(robot) => {
                Self::hook(robot.base.as_deref(), "https://oapi.dingtalk.com", "/robot/send?access_token=", &robot.hook)?
            }
            ChannelKind::WeCom(hook) => {
                Self::hook(hook.base.as_deref(), "https://qyapi.weixin.qq.com", "/cgi-bin/webhook/send?key=", &hook.hook)?
            }
        };
        if !target.end.tls && !target.end.is_loopback() && !config.allow_plain {
            return Err(("allow_plain", "the address is without TLS and not of this machine: use https, or allow it here"));
        }
        Ok(Some(target))
    }

    fn whole(key: &'static str, url: &Secret) -> Result<Self, Wrong> {
        let (end, path) = parse(url.expose()).map_err(|text| (key, text))?;
        Ok(Self { end, path: Secret::new(path) })
    }

    fn below(base: &str, key: &'static str, path: String) -> Result<Self, Wrong> {
        let (end, prefix) = parse_base(base).map_err(|text| ("base", text))?;
        let path = format!("{prefix}{path}");
        match path.parse::<PathAndQuery>() {
            Ok(_) => Ok(Self { end, path: Secret::new(path) }),
            Err(_) => Err((key, "has characters that an address cannot have")),
        }
    }

    /// The whole address, or what comes after `prefix`.
    fn hook(base: Option<&str>, official: &str, prefix: &str, hook: &Secret) -> Result<Self, Wrong> {
        check_secret("hook", hook)?;
        let text = hook.expose();
        if text.starts_with("https://") || text.starts_with("http://") {
            let whole = Self::whole("hook", hook)?;
            return match base {
                Some(base) => Self::below(base, "hook", whole.path.expose().to_owned()),
                None => Ok(whole),
            };
        }
        // In a query, only an escaped token stays one value.
        let rest = if prefix.ends_with('=') { percent(text) } else { text.trim_start_matches('/').to_owned() };
        Self::below(base.unwrap_or(official), "hook", format!("{prefix}{rest}"))
    }
}

/// Both sides of its length, and that it is one word.
pub(crate) fn check_secret(key: &'static str, secret: &Secret) -> Result<(), Wrong> {
    let text = secret.expose();
    if text.len() < SECRET_MIN || text.len() > SECRET_MAX {
        return Err((key, "must have 6 to 4096 bytes"));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err((key, "has control characters, or blanks around it"));
    }
    Ok(())
}

const _: () = assert!(SECRET_MIN == 6 && SECRET_MAX == 4096 && ADDRESS_MAX == 512);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Hook, Robot, Webhook};

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[track_caller]
    fn check(kind: ChannelKind, expected: &str) {
        let found = match Target::of(&ChannelConfig::new("a", kind)) {
            Ok(Some(Target { end, path })) => {
                format!("{}://{}:{}{}", if end.tls { "https" } else { "http" }, end.host, end.port, path.expose())
            }
            Ok(None) => "none".to_owned(),
            Err((key, text)) => format!("{key} {text}"),
        };
        assert_eq!(found, expected);
    }

    fn hook(base: Option<&str>, hook: &str) -> Hook {
        Hook { base: base.map(str::to_owned), hook: secret(hook) }
    }

    #[test]
    fn official_addresses_are_known() {
        check(ChannelKind::Slack(hook(None, "T01/B01/xyz")), "https://hooks.slack.com:443/services/T01/B01/xyz");
        check(ChannelKind::Discord(hook(None, "/12345/to-ken")), "https://discord.com:443/api/webhooks/12345/to-ken");
        check(ChannelKind::WeCom(hook(None, "693a-91f6")), "https://qyapi.weixin.qq.com:443/cgi-bin/webhook/send?key=693a-91f6");
        let robot = Robot { base: None, hook: secret("abcdef"), signing: None };
        check(ChannelKind::Feishu(robot.clone()), "https://open.feishu.cn:443/open-apis/bot/v2/hook/abcdef");
        check(ChannelKind::DingTalk(robot), "https://oapi.dingtalk.com:443/robot/send?access_token=abcdef");
        let bot = Telegram { base: None, token: secret("123:AbC_-d"), chat: "1".into(), thread: None, commanders: Vec::new() };
        check(ChannelKind::Telegram(bot), "https://api.telegram.org:443/bot123:AbC_-d/sendMessage");
        check(ChannelKind::Log, "none");
    }

    #[test]
    fn whole_addresses_and_bases_are_taken() {
        let whole = "https://oapi.dingtalk.com/robot/send?access_token=abcdef";
        let robot = |base: Option<&str>| Robot { base: base.map(str::to_owned), hook: secret(whole), signing: None };
        check(ChannelKind::DingTalk(robot(None)), "https://oapi.dingtalk.com:443/robot/send?access_token=abcdef");
        let through = "http://127.0.0.1:81/out/";
        check(ChannelKind::DingTalk(robot(Some(through))), "http://127.0.0.1:81/out/robot/send?access_token=abcdef");
        check(ChannelKind::Slack(hook(Some("http://[::1]:9"), "T01/B01/xyz")), "http://::1:9/services/T01/B01/xyz");
    }

    #[test]
    fn mistakes_are_told_without_the_secret() {
        check(ChannelKind::Slack(hook(None, "abc")), "hook must have 6 to 4096 bytes");
        check(ChannelKind::Slack(hook(None, "T01/B 01/xyz")), "hook has characters that an address cannot have");
        check(ChannelKind::Slack(hook(Some("ftp://a"), "T01/B01/xyz")), "base does not begin with https:// or http://");
        check(ChannelKind::Slack(hook(Some("https://a/?b"), "T01/B01/xyz")), "base has a query, which a base address cannot have");
        let webhook = |url: &str| ChannelKind::Webhook(Webhook { url: secret(url), signing: None });
        check(webhook("https://user:pass@host/x"), "url has a user or password before the host, which is not supported");
        check(
            webhook("http://example.org/x"),
            "allow_plain the address is without TLS and not of this machine: use https, or allow it here",
        );
        check(webhook("http://localhost:8/x?y"), "http://localhost:8/x?y");
    }
}
