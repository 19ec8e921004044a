//! Commands over a Telegram bot: one task that asks for messages, hears those who may command, and answers.

use crate::TextLimit;
use crate::clock::Clock;
use crate::config::{ChannelConfig, ChannelKind};
use crate::error::SendError;
use crate::http::{Answer, CaError, Dialer, Post, post, read_ca};
use crate::limits::{
    ANSWER_TEXT_MAX, BACKOFF_MAX, COMMAND_AGE_MAX, NAME_MAX, POLL_FOR, SENDING_BYTES, SPEAKERS_MAX, STRANGERS_LOGGED_EVERY, UPDATES_MAX,
};
use crate::notifier::Notifier;
use crate::render::cut;
use crate::secret::Redactor;
use crate::talk::{Heard, Order, Question, Talk};
use crate::target::{Target, Wrong};
use arrayvec::{ArrayString, ArrayVec};
use async_trait::async_trait;
use plimsoll_bounded::{Grant, Grants, NotPlanned, Task};
use plimsoll_market::Time;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Answers questions and carries out commands; whoever owns the bot has one.
///
/// Texts are cut at [`ANSWER_TEXT_MAX`] characters; they must not hold secrets.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Answers a question.
    async fn tell(&self, question: Question) -> String;

    /// Says in numbers what a command would do.
    ///
    /// # Errors
    /// Why it cannot be done, in a sentence.
    async fn foresee(&self, order: &Order) -> Result<String, String>;

    /// Carries a command out, for somebody of this name, and says what follows.
    ///
    /// # Errors
    /// Why it was not done, in a sentence.
    async fn carry_out(&self, order: &Order, who: &str) -> Result<String, String>;

    /// Whether dangerous commands want a one-time code instead of a word.
    fn wants_codes(&self) -> bool;

    /// Whether a one-time code is right now; each is right once.
    async fn check_code(&self, code: &str) -> bool;
}

/// Why there are no commands.
#[derive(Debug, thiserror::Error)]
pub enum CommanderError {
    /// The channel's address or token.
    #[error("channels.{channel}.{key} {text}")]
    Wrong {
        /// Its name.
        channel: String,
        /// Key within the channel.
        key: &'static str,
        /// What is wrong.
        text: &'static str,
    },
    /// Its file of certificates.
    #[error("channels.{channel}.ca_file")]
    Ca {
        /// Its name.
        channel: String,
        /// Why.
        #[source]
        source: CaError,
    },
    /// A line that was not planned.
    #[error(transparent)]
    NotPlanned(#[from] NotPlanned),
}

/// Hears commands over one Telegram channel.
///
/// # Bounds
/// One line, [`Commander::line_name`]: a request on its way with its answer. One task, [`Commander::run`]; one message at a time, and
/// what is older than [`COMMAND_AGE_MAX`] is not carried out.
pub struct Commander {
    channel: ArrayString<NAME_MAX>,
    ask: Target,
    answer: Target,
    dialer: Dialer,
    redactor: Redactor,
    /// Numbers of those who may command.
    may: ArrayVec<i64, SPEAKERS_MAX>,
    timeout: Duration,
    connect_timeout: Duration,
    desk: Arc<dyn Desk>,
    notifier: Notifier,
    talk: Talk,
    /// The update after the last one that was heard.
    offset: i64,
    strangers_logged: Option<Time>,
    grant: Grant,
    clock: Clock,
    random: SystemRandom,
}

/// A message that came.
struct Said {
    from: i64,
    name: String,
    chat: i64,
    thread: Option<i64>,
    at: Time,
    text: String,
}

impl Commander {
    /// Name of a channel's line in the ledger.
    pub fn line_name(channel: &str) -> String {
        format!("notify.commands/{channel}")
    }

    /// Whether somebody may command over a channel.
    pub const fn is_wanted(channel: &ChannelConfig) -> bool {
        matches!(&channel.kind, ChannelKind::Telegram(bot) if !bot.commanders.is_empty())
    }

    /// The line of a channel whose bot takes commands; `None` for others.
    pub(crate) fn line(channel: &ChannelConfig) -> Option<(String, usize)> {
        Self::is_wanted(channel).then(|| (Self::line_name(&channel.name), SENDING_BYTES + size_of::<Self>()))
    }

    /// Makes one for a channel; `None` when nobody may command over it.
    ///
    /// # Errors
    /// The channel cannot be reached as it is configured, or was not planned.
    pub fn new(
        channel: &ChannelConfig,
        desk: Arc<dyn Desk>,
        notifier: Notifier,
        grants: &mut Grants,
    ) -> Result<Option<Self>, CommanderError> {
        let ChannelKind::Telegram(bot) = &channel.kind else { return Ok(None) };
        let Some((line, _)) = Self::line(channel) else { return Ok(None) };
        let name = channel.name.clone();
        let wrong = |(key, text): Wrong| CommanderError::Wrong { channel: name.clone(), key, text };
        let ca = |source| CommanderError::Ca { channel: channel.name.clone(), source };
        let extra = channel.ca_file.as_deref().map(read_ca).transpose().map_err(ca)?;
        Ok(Some(Self {
            channel: channel.name.chars().take(NAME_MAX).collect::<String>().parse().unwrap_or_default(),
            ask: Target::telegram(bot, "getUpdates").map_err(wrong)?,
            answer: Target::telegram(bot, "sendMessage").map_err(wrong)?,
            dialer: Dialer::new(extra.as_deref()).map_err(ca)?,
            redactor: Redactor::new([bot.token.expose()]),
            may: bot.commanders.iter().copied().take(SPEAKERS_MAX).collect(),
            timeout: channel.timeout,
            connect_timeout: channel.connect_timeout,
            desk,
            notifier,
            talk: Talk::default(),
            offset: 0,
            strangers_logged: None,
            grant: grants.take(&line)?,
            clock: Clock::start(),
            random: SystemRandom::new(),
        }))
    }

    /// Hears and answers until it is told to stop. Telegram's absence is waited out, with pauses up to a minute.
    pub async fn run(mut self, task: Task) {
        task.pulse.expect_every((POLL_FOR + self.timeout + BACKOFF_MAX) * 2);
        self.grant.gauge().set_len(1);
        let mut pause = Duration::ZERO;
        while task.stop.or(tokio::time::sleep(pause)).await.is_some() {
            task.pulse.beat();
            let Some(asked) = task.stop.or(self.updates()).await else { return };
            match asked {
                Ok(said) => {
                    pause = Duration::ZERO;
                    for said in said {
                        self.hear(said).await;
                    }
                }
                Err(error) => {
                    let longer = (pause * 2).clamp(Duration::from_secs(1), BACKOFF_MAX);
                    if pause.is_zero() {
                        tracing::warn!(channel = %self.channel, %error, "commands cannot be asked for; trying again");
                    }
                    pause = match error {
                        SendError::Limited { after: Some(after), .. } => after.clamp(longer, BACKOFF_MAX * 5),
                        _ => longer,
                    };
                }
            }
        }
    }

    /// Waits for messages, up to [`POLL_FOR`], and takes them over: the service does not tell them again.
    async fn updates(&mut self) -> Result<ArrayVec<Said, UPDATES_MAX>, SendError> {
        let wanted = json!({
            "offset": self.offset, "limit": UPDATES_MAX, "timeout": POLL_FOR.as_secs(), "allowed_updates": ["message"],
        });
        let answer = self.send(&self.ask, &wanted, POLL_FOR + self.timeout).await?;
        let updates = answer.get("result").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut all = ArrayVec::new();
        for update in updates.iter().take(UPDATES_MAX) {
            let Some(id) = update.get("update_id").and_then(Value::as_i64) else { continue };
            self.offset = self.offset.max(id.saturating_add(1));
            if let Some(said) = update.get("message").and_then(said) {
                all.push(said);
            }
        }
        Ok(all)
    }

    async fn hear(&mut self, said: Said) {
        let now = self.clock.now();
        if !self.may.contains(&said.from) {
            if self.strangers_logged.is_none_or(|at| now.since(at) >= STRANGERS_LOGGED_EVERY) {
                self.strangers_logged = Some(now);
                tracing::warn!(channel = %self.channel, user = said.from, "somebody who may not command wrote to the bot; nothing was answered");
            }
            return;
        }
        if now.since(said.at) > COMMAND_AGE_MAX {
            self.reply(&said, "that was written while I was away, and was not carried out; say it again").await;
            return;
        }
        let mut word = [0_u8; 2];
        if self.random.fill(&mut word).is_err() {
            tracing::warn!("the operating system gives no random bytes");
        }
        let heard = self.talk.hear(now, said.from, &said.text, self.desk.wants_codes(), u16::from_le_bytes(word));
        let text = match heard {
            Heard::Say(text) => text.to_owned(),
            Heard::Ask(question) => self.desk.tell(question).await,
            Heard::Mute(span) => {
                self.notifier.mute(span);
                tracing::info!(who = said.name, span_s = span.map_or(0, |span| span.as_secs()), "alerts were muted over Telegram");
                match span {
                    Some(span) => format!("for {} minutes only what is critical is told", span.as_secs() / 60),
                    None => "alerts are told again".to_owned(),
                }
            }
            Heard::Confirm(order, word) => match self.desk.foresee(&order).await {
                Ok(text) => match word {
                    Some(word) => format!("{text}\nAnswer `yes {word}` within a minute."),
                    None => format!("{text}\nAnswer `yes` and the code of your authenticator within a minute."),
                },
                Err(why) => why,
            },
            Heard::Do(order) => self.do_it(&order, &said.name).await,
            Heard::Check(order, code) => {
                if self.desk.check_code(&code).await {
                    self.talk.was_right();
                    self.do_it(&order, &said.name).await
                } else {
                    match self.talk.was_wrong(now) {
                        Heard::Say(text) => text.to_owned(),
                        _ => "that was wrong".to_owned(),
                    }
                }
            }
        };
        self.reply(&said, &text).await;
    }

    async fn do_it(&self, order: &Order, name: &str) -> String {
        let whom = order.symbol.map_or_else(|| "all".to_owned(), |symbol| symbol.to_string());
        tracing::info!(who = name, verb = order.deed.as_str(), symbol = whom, "command taken over Telegram");
        match self.desk.carry_out(order, name).await {
            Ok(text) => text,
            Err(why) => format!("not done: {why}"),
        }
    }

    /// Answers where it was said; what cannot be sent is lost, for the next question is answered anew.
    async fn reply(&self, said: &Said, text: &str) {
        let mut message =
            json!({ "chat_id": said.chat, "text": cut(text, TextLimit::Utf16(ANSWER_TEXT_MAX)), "disable_web_page_preview": true });
        if let (Some(thread), Some(object)) = (said.thread, message.as_object_mut()) {
            object.insert("message_thread_id".to_owned(), json!(thread));
        }
        if let Err(error) = self.send(&self.answer, &message, self.timeout).await {
            tracing::warn!(channel = %self.channel, %error, "an answer was not taken");
        }
    }

    async fn send(&self, target: &Target, message: &Value, timeout: Duration) -> Result<Value, SendError> {
        let message = Post { headers: [None, None], suffix: String::new(), body: message.to_string().into_bytes().into() };
        let answer = post(&self.dialer, target, message, self.connect_timeout, timeout, &self.redactor).await?;
        judged(&answer, &self.redactor)
    }
}

/// What the service means by an answer.
fn judged(answer: &Answer, redactor: &Redactor) -> Result<Value, SendError> {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let said = json.as_ref().and_then(|json| json.get("description")?.as_str()).unwrap_or_default();
    let text = redactor.note(said);
    if answer.status == 429 {
        let wait = json.as_ref().and_then(|json| json.pointer("/parameters/retry_after")?.as_u64()).map(Duration::from_secs);
        return Err(SendError::Limited { after: wait.max(answer.retry_after), text });
    }
    match json {
        Some(json) if answer.status == 200 && json.get("ok").and_then(Value::as_bool) == Some(true) => Ok(json),
        Some(_) | None => Err(SendError::Status { status: answer.status, text }),
    }
}

fn said(message: &Value) -> Option<Said> {
    let from = message.get("from")?;
    let name = from.get("username").or_else(|| from.get("first_name")).and_then(Value::as_str).unwrap_or("somebody");
    Some(Said {
        from: from.get("id")?.as_i64()?,
        name: name.chars().filter(|c| !c.is_control()).take(32).collect(),
        chat: message.pointer("/chat/id")?.as_i64()?,
        thread: message.get("message_thread_id").and_then(Value::as_i64),
        at: Time::from_millis(message.get("date")?.as_u64()?.checked_mul(1_000)?),
        text: message.get("text")?.as_str()?.chars().take(200).collect(),
    })
}

impl std::fmt::Debug for Commander {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Commander({})", self.channel)
    }
}
