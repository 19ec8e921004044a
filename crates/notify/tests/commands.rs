//! Commands over a Telegram of our own on the loopback device: who is heard, what is asked again, what is done once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests may panic as tests do")]

mod common;

use axum::Json;
use axum::extract::{Path, State};
use common::{PATIENCE, alert, config, fast, secret};
use plimsoll_bounded::{Ledger, Plan, TaskSpec, Tasks};
use plimsoll_market::{AlertCode, Severity};
use plimsoll_notify::{ChannelKind, Commander, Desk, Notifier, Order, Question, Telegram};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const OWNER: i64 = 4711;

/// What Telegram keeps: updates from the offset on are told again until a later offset is asked for.
#[derive(Default)]
struct Chat {
    updates: Mutex<Vec<Value>>,
    sent: Mutex<Vec<Value>>,
}

impl Chat {
    fn write(&self, from: i64, text: &str, age: Duration) {
        let mut updates = self.updates.lock().unwrap();
        let date = (SystemTime::now() - age).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let id = 100 + updates.len();
        let message =
            json!({ "message_id": id, "from": { "id": from, "username": "ann" }, "chat": { "id": from }, "date": date, "text": text });
        updates.push(json!({ "update_id": id, "message": message }));
    }

    /// The texts that the bot has sent.
    fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    async fn until(&self, count: usize) -> Vec<String> {
        let began = tokio::time::Instant::now();
        while self.sent().len() < count {
            assert!(began.elapsed() < PATIENCE, "only {:?}", self.sent());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.sent()
    }
}

async fn method(State(chat): State<Arc<Chat>>, Path((token, method)): Path<(String, String)>, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(token, "bot123:secretsecret");
    let result = match method.as_str() {
        "getUpdates" => {
            let offset = body["offset"].as_i64().unwrap();
            let limit = body["limit"].as_u64().unwrap() as usize;
            let news = || {
                let updates = chat.updates.lock().unwrap();
                updates.iter().filter(|u| u["update_id"].as_i64().unwrap() >= offset).take(limit).cloned().collect::<Vec<_>>()
            };
            for _ in 0..20 {
                if !news().is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            json!(news())
        }
        "sendMessage" => {
            chat.sent.lock().unwrap().push(body);
            json!({})
        }
        other => panic!("{other} is no method that is used"),
    };
    Json(json!({ "ok": true, "result": result }))
}

/// Writes down what it was told to do.
#[derive(Default)]
struct Written {
    done: Mutex<Vec<String>>,
    codes: bool,
}

#[async_trait::async_trait]
impl Desk for Written {
    async fn tell(&self, question: Question) -> String {
        format!("{question:?}: all is well")
    }

    async fn foresee(&self, order: &Order) -> Result<String, String> {
        match order.symbol.as_deref() {
            Some("NONE") => Err("NONE is not traded here".to_owned()),
            _ => Ok("3 orders would be withdrawn".to_owned()),
        }
    }

    async fn carry_out(&self, order: &Order, who: &str) -> Result<String, String> {
        let symbol = order.symbol.map_or("all".to_owned(), |symbol| symbol.to_string());
        self.done.lock().unwrap().push(format!("{} {symbol} by {who}", order.deed.as_str()));
        Ok("done".to_owned())
    }

    fn wants_codes(&self) -> bool {
        self.codes
    }

    async fn check_code(&self, code: &str) -> bool {
        code == "123456"
    }
}

struct Desktop {
    chat: Arc<Chat>,
    desk: Arc<Written>,
    notifier: Notifier,
    tasks: Tasks,
}

async fn start(codes: bool) -> Desktop {
    let chat = Arc::new(Chat::default());
    let app = axum::Router::new().route("/{token}/{method}", axum::routing::post(method)).with_state(Arc::clone(&chat));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Some(format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let bot = Telegram { base, token: secret("123:secretsecret"), chat: OWNER.to_string(), thread: None, commanders: vec![OWNER] };
    let config = config(vec![fast("phone", ChannelKind::Telegram(bot))]);
    let mut plan = Plan::new("test").with(Tasks::line("tasks", 16, 64 << 10)).unwrap();
    Notifier::plan(&mut plan, &config).unwrap();
    let ledger = Ledger::open(64 << 20).seal().unwrap();
    let mut grants = ledger.admit(&plan).unwrap();
    let tasks = Tasks::new(grants.take("tasks").unwrap());
    let notifier = Notifier::start(&config, &mut grants, &tasks).unwrap();
    let desk = Arc::new(Written { codes, ..Written::default() });
    let dyn_desk: Arc<dyn Desk> = Arc::clone(&desk) as Arc<dyn Desk>;
    let commander = Commander::new(&config.channels[0], dyn_desk, notifier.clone(), &mut grants).unwrap().unwrap();
    tasks.spawn(TaskSpec { name: "commands", group: "test" }, |task| Box::pin(commander.run(task))).unwrap();
    Desktop { chat, desk, notifier, tasks }
}

impl Desktop {
    async fn stop(self) {
        self.notifier.stop(Duration::from_secs(1)).await;
        assert!(self.tasks.shutdown(Duration::from_secs(5)).await.is_clean());
    }

    fn done(&self) -> Vec<String> {
        self.desk.done.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn those_who_may_are_answered_and_what_is_dangerous_is_asked_again() {
    let bot = start(false).await;
    bot.chat.write(OWNER, "/status", Duration::ZERO);
    assert_eq!(bot.chat.until(1).await, ["Status: all is well"]);
    bot.chat.write(OWNER, "/pause btcusdt", Duration::ZERO);
    bot.chat.until(2).await;
    bot.chat.write(OWNER, "/flatten all", Duration::ZERO);
    let asked = bot.chat.until(3).await.pop().unwrap();
    assert_eq!(bot.done(), ["pause BTCUSDT by ann"], "nothing dangerous without a yes");
    let word = asked.split("yes ").nth(1).unwrap().split('`').next().unwrap();
    bot.chat.write(OWNER, &format!("yes {word}"), Duration::ZERO);
    bot.chat.until(4).await;
    assert_eq!(bot.done(), ["pause BTCUSDT by ann", "flatten all by ann"]);
    bot.chat.write(OWNER, "/flatten NONE", Duration::ZERO);
    assert_eq!(bot.chat.until(5).await.pop().unwrap(), "NONE is not traded here");
    bot.stop().await;
}

#[tokio::test]
async fn strangers_and_old_words_move_nothing() {
    let bot = start(false).await;
    bot.chat.write(OWNER + 1, "/pause", Duration::ZERO);
    bot.chat.write(OWNER, "/pause", Duration::from_secs(3_600));
    bot.chat.write(OWNER, "/resume", Duration::ZERO);
    let sent = bot.chat.until(2).await;
    assert!(sent[0].contains("while I was away"), "{sent:?}");
    assert_eq!(sent[1], "done");
    assert_eq!(bot.done(), ["resume all by ann"], "each message is taken once");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bot.chat.sent().len(), 2, "a stranger is not answered");
    bot.stop().await;
}

#[tokio::test]
async fn with_one_time_codes_a_wrong_one_does_nothing() {
    let bot = start(true).await;
    for (n, code) in ["654321", "123456"].into_iter().enumerate() {
        bot.chat.write(OWNER, "/cancel ETHUSDT", Duration::ZERO);
        bot.chat.until(2 * n + 1).await;
        bot.chat.write(OWNER, &format!("yes {code}"), Duration::ZERO);
        bot.chat.until(2 * n + 2).await;
    }
    assert_eq!(bot.done(), ["cancel ETHUSDT by ann"]);
    bot.stop().await;
}

#[tokio::test]
async fn while_muted_only_what_is_critical_is_told() {
    let bot = start(false).await;
    bot.chat.write(OWNER, "/mute 2h", Duration::ZERO);
    bot.chat.until(1).await;
    bot.notifier.submit(&alert(Severity::Warning, AlertCode::Memory, "a warning in the night"));
    bot.notifier.submit(&alert(Severity::Critical, AlertCode::Drawdown, "the account falls"));
    let sent = bot.chat.until(2).await;
    assert!(sent[1].contains("the account falls"), "{sent:?}");
    assert_eq!(bot.notifier.status().channels[0].suppressed, 1);
    bot.chat.write(OWNER, "/unmute", Duration::ZERO);
    bot.chat.until(3).await;
    bot.notifier.submit(&alert(Severity::Warning, AlertCode::Disk, "a warning by day"));
    assert!(bot.chat.until(4).await[3].contains("a warning by day"));
    bot.stop().await;
}
