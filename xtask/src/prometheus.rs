//! What is shipped for Prometheus, Alertmanager and Grafana, tried with the real programs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::children::{Program, Watchdog};
use crate::http::{get, get_json};
use crate::process::{command, find_program, step};
use crate::report::Outcome;

const FOLDER: &str = "config/prometheus";
const DASHBOARDS: &str = "config/grafana/dashboards";

/// How Prometheus and its tools come to this machine.
const HOW: &str = "apt-get install prometheus";

/// Time for a program to start, to be scraped, to end.
const START_MAX: Duration = Duration::from_secs(60);
const SCRAPE_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(60);

/// Rules, their tests, the configuration, and what the dashboards ask, all read by promtool.
pub(crate) fn rules(results: &Path) -> Result<Outcome> {
    if find_program(&["promtool"]).is_none() {
        return Ok(Outcome::LeftOut(HOW.into()));
    }
    std::fs::create_dir_all(results)?;
    // What a dashboard asks is checked as a rule that records it. JSON is YAML.
    let questions = results.join("dashboards.rules.json");
    std::fs::write(&questions, as_rules(&questions_of_dashboards()?).to_string())?;
    let questions = questions.to_str().context("the target folder's name is not text")?;
    for arguments in [
        ["check", "config", "config/prometheus/prometheus.yml"],
        ["test", "rules", "config/prometheus/rules.test.yml"],
        ["check", "rules", questions],
    ] {
        let outcome = step(command("promtool", &arguments))?;
        if outcome != Outcome::Passed {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed)
}

/// The Alertmanager's configuration, read by its own tool.
pub(crate) fn alertmanager() -> Result<Outcome> {
    if find_program(&["amtool"]).is_none() {
        return Ok(Outcome::LeftOut("apt-get install prometheus-alertmanager".into()));
    }
    step(command("amtool", &["check-config", "config/alertmanager/alertmanager.yml"]))
}

/// A real Prometheus with our configuration, but for the ports, against a real bot.
pub(crate) fn scrapes(binary: &Path, results: &Path) -> Result<Outcome> {
    if find_program(&["prometheus"]).is_none() || find_program(&["promtool"]).is_none() {
        return Ok(Outcome::LeftOut(HOW.into()));
    }
    std::fs::create_dir_all(results)?;
    let watchdog = Watchdog::start("prometheus")?;
    let (dashboard, address) = (free_port()?, free_port()?);
    let mut bot = start_bot(&watchdog, binary, dashboard, results)?;
    wait_until("the bot to be ready", START_MAX, || {
        bot.must_run()?;
        Ok(get(dashboard, "/readyz", &[]).is_ok_and(|(status, _)| status == 200))
    })?;
    println!("  {}", check_metrics(dashboard, results)?);
    let mut server = start_prometheus(&watchdog, dashboard, address, results)?;
    wait_until("our target to be up", SCRAPE_MAX, || {
        bot.must_run()?;
        server.must_run()?;
        let Ok(targets) = get_json(address, "/api/v1/targets?state=active", &[]) else { return Ok(false) };
        let targets = list(&targets, "/data/activeTargets");
        let ours = targets.iter().find(|target| target.pointer("/labels/job") == Some(&json!("plimsoll")));
        if let Some(error) = ours.and_then(|target| target.get("lastError")).and_then(Value::as_str).filter(|error| !error.is_empty()) {
            bail!("Prometheus cannot scrape the bot: {error}");
        }
        Ok(ours.is_some_and(|target| target.get("health") == Some(&json!("up"))))
    })?;
    println!("  {}", check_rules(address)?);
    println!("  {}", check_questions(address)?);
    let ended = bot.stop("INT", STOP_MAX)?;
    ensure!(ended.success(), "the bot ended with {ended}");
    let ended = server.stop("TERM", STOP_MAX)?;
    ensure!(ended.success(), "Prometheus ended with {ended}");
    Ok(Outcome::Passed)
}

fn start_bot(watchdog: &Watchdog, binary: &Path, dashboard: SocketAddr, results: &Path) -> Result<Program> {
    let file = watchdog.folder().join("plimsoll.yaml");
    let data = watchdog.folder().join("data");
    let text = format!(
        "exchange: local\ndata_dir: {}\nlocal:\n  speed: 20\nweb:\n  listen: {dashboard}\nlog:\n  level: warn\ntrading:\n  symbols:\n    \
         - {{ symbol: BTCUSDT, price_interval: 60, order_quantity: 250 }}\n",
        data.display()
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.arg("run").arg("--config").arg(&file).env_remove("PLIMSOLL_STORAGE_URL").env_remove("PLIMSOLL_LOG");
    Program::start(watchdog, "the bot", command, &results.join("bot.log"))
}

fn start_prometheus(watchdog: &Watchdog, dashboard: SocketAddr, address: SocketAddr, results: &Path) -> Result<Program> {
    let folder = watchdog.folder().join("prometheus");
    std::fs::create_dir_all(&folder)?;
    let text = std::fs::read_to_string(format!("{FOLDER}/prometheus.yml"))?;
    std::fs::write(folder.join("prometheus.yml"), moved(&text, dashboard, address)?)?;
    std::fs::copy(format!("{FOLDER}/rules.yml"), folder.join("rules.yml"))?;
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    Program::start(watchdog, "Prometheus", command, &results.join("prometheus.log"))
}

/// The shipped configuration with other ports, and seconds in the place of quarters of a minute.
fn moved(text: &str, dashboard: SocketAddr, address: SocketAddr) -> Result<String> {
    let mut text = text.to_owned();
    for (from, to, times) in [
        ("127.0.0.1:15173", &*dashboard.to_string(), 1),
        ("127.0.0.1:9090", &*address.to_string(), 1),
        ("_interval: 15s", "_interval: 1s", 2),
        ("scrape_timeout: 10s", "scrape_timeout: 1s", 1),
    ] {
        let found = text.matches(from).count();
        ensure!(found == times, "{FOLDER}/prometheus.yml says {from:?} {found} times, not {times} times");
        text = text.replace(from, to);
    }
    Ok(text)
}

/// promtool finds nothing to say about our metrics, and each of them is documented.
fn check_metrics(dashboard: SocketAddr, results: &Path) -> Result<String> {
    let (status, body) = get(dashboard, "/metrics", &[])?;
    ensure!(status == 200, "/metrics was answered {status}");
    std::fs::write(results.join("metrics.txt"), &body)?;
    let mut lint = Command::new("promtool");
    lint.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut lint = lint.spawn().context("could not start promtool")?;
    lint.stdin.take().context("the input was piped")?.write_all(&body)?;
    let output = lint.wait_with_output()?;
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).trim().to_owned()).join("\n");
    ensure!(output.status.success() && said.trim().is_empty(), "promtool check metrics: {said}");
    let body = String::from_utf8_lossy(&body);
    let documented = std::fs::read_to_string("docs/metrics.md").context("could not read docs/metrics.md")?;
    let families: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    ensure!(!families.is_empty(), "/metrics is empty");
    if let Some(unknown) = families.iter().find(|family| !documented.contains(&format!("| `{family}` |"))) {
        bail!("{unknown} is not in docs/metrics.md");
    }
    Ok(format!("/metrics: {} families, {} bytes; promtool has nothing to say", families.len(), body.len()))
}

/// Every rule of ours is there, and could be evaluated.
fn check_rules(address: SocketAddr) -> Result<String> {
    let wanted = std::fs::read_to_string(format!("{FOLDER}/rules.yml"))?;
    let wanted: Vec<&str> = wanted.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let mut healthy = 0;
    wait_until("the rules to be evaluated", SCRAPE_MAX, || {
        let answer = get_json(address, "/api/v1/rules?type=alert", &[])?;
        let rules: Vec<&Value> = list(&answer, "/data/groups").iter().flat_map(|group| list(group, "/rules")).collect();
        for rule in &rules {
            if rule.get("health") == Some(&json!("err")) {
                bail!("a rule cannot be evaluated: {rule}");
            }
        }
        let is_ok =
            |alert: &&&str| rules.iter().any(|rule| rule.get("name") == Some(&json!(alert)) && rule.get("health") == Some(&json!("ok")));
        healthy = wanted.iter().filter(is_ok).count();
        Ok(!wanted.is_empty() && healthy == wanted.len())
    })?;
    let firing = get_json(address, &query("ALERTS{alertstate=\"firing\"}"), &[])?;
    let firing = list(&firing, "/data/result");
    ensure!(firing.is_empty(), "a healthy bot raises alerts: {}", json!(firing));
    Ok(format!("{healthy} rules evaluated, none fires"))
}

/// The budget is there, and every panel's question is answered; how many of the answers are not empty.
fn check_questions(address: SocketAddr) -> Result<String> {
    let ask = |question: &str| -> Result<usize> {
        let answer = get_json(address, &query(question), &[]).with_context(|| format!("asked for {question}"))?;
        ensure!(answer.get("status") == Some(&json!("success")), "{question} was answered {answer}");
        Ok(list(&answer, "/data/result").len())
    };
    ensure!(ask("plimsoll_ledger_budget_bytes > 0")? == 1, "Prometheus has no plimsoll_ledger_budget_bytes");
    let questions = questions_of_dashboards()?;
    let mut empty = Vec::new();
    for question in &questions {
        if ask(question)? == 0 {
            empty.push(question.as_str());
        }
    }
    // What compares, counts trouble or looks far back may have nothing to show yet; a plain metric is named.
    let is_plain = |question: &&&str| question.starts_with("plimsoll_") && question.matches('}').count() == 1 && question.ends_with('}');
    let plain: Vec<&str> = empty.iter().filter(is_plain).filter_map(|question| question.split('{').next()).collect();
    let figures = questions.len() - empty.len();
    Ok(format!("{} questions of the dashboards answered, {figures} of them with figures; without: {}", questions.len(), plain.join(", ")))
}

/// What all panels ask, with their variables set to everything.
fn questions_of_dashboards() -> Result<Vec<String>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(DASHBOARDS)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut questions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let board: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
        for panel in list(&board, "/panels") {
            questions.extend(list(panel, "/targets").iter().filter_map(expression));
        }
        questions.extend(list(&board, "/annotations/list").iter().filter_map(expression));
    }
    ensure!(!questions.is_empty(), "{DASHBOARDS} has no dashboard that asks anything");
    Ok(questions)
}

fn expression(asks: &Value) -> Option<String> {
    let expression = asks.get("expr")?.as_str()?.to_owned();
    Some(["$instance", "$account", "$symbol", "$line"].iter().fold(expression, |text, variable| text.replace(variable, ".*")))
}

fn as_rules(questions: &[String]) -> Value {
    let rules: Vec<Value> =
        questions.iter().enumerate().map(|(at, question)| json!({"record": format!("panel:{at}"), "expr": question})).collect();
    json!({"groups": [{"name": "dashboards", "rules": rules}]})
}

fn query(question: &str) -> String {
    let mut target = "/api/v1/query?query=".to_owned();
    for byte in question.bytes() {
        // Writing to a String cannot fail.
        let written = if byte.is_ascii_alphanumeric() { target.write_char(byte.into()) } else { write!(target, "%{byte:02X}") };
        written.unwrap_or_default();
    }
    target
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn free_port() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).context("no loopback port is free")
}

fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !done()? {
        ensure!(began.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_moves_to_other_ports() {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/prometheus/prometheus.yml")).unwrap();
        let moved = moved(&text, "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()).unwrap();
        assert!(moved.contains("[\"127.0.0.1:1\"]") && moved.contains("[\"127.0.0.1:2\"]") && !moved.contains("15s"), "{moved}");
        assert!(super::moved("nothing", "127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()).is_err());
    }

    #[test]
    fn questions_are_encoded_and_variables_filled_in() {
        assert_eq!(query("a{b=\"c\"}"), "/api/v1/query?query=a%7Bb%3D%22c%22%7D");
        let asks = json!({"expr": "up{instance=~\"$instance\", line=~\"$line\"}"});
        assert_eq!(expression(&asks).unwrap(), "up{instance=~\".*\", line=~\".*\"}");
        assert_eq!(as_rules(&["up".into()]), json!({"groups": [{"name": "dashboards", "rules": [{"record": "panel:0", "expr": "up"}]}]}));
    }
}
