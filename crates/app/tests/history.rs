//! `plimsoll data` and `plimsoll backtest`, as a person calls them.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

use std::path::Path;
use std::process::{Command, Output};

fn plimsoll(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll")).current_dir(folder).args(arguments).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two days of minutes that swing by two percent every two hours.
fn candles(days: u64) -> String {
    let price = |minute: u64| {
        let of = minute % 120;
        60_000 + 20 * if of < 60 { of } else { 120 - of }
    };
    let row = |m: u64| {
        let (open, close) = (price(m), price(m + 1));
        let (low, high) = (open.min(close) - 1, open.max(close) + 1);
        format!("{},{open}.0,{high}.0,{low}.0,{close}.0,{}.5,0,0,0,0,0,0\n", 1_704_067_200_000 + m * 60_000, 20 + m * m % 9_973)
    };
    (0..days * 1_440).map(row).collect()
}

#[test]
fn history_is_imported_checked_and_traded() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let text = candles(2);
    std::fs::write(folder.join("BTCUSDT-1m-2024-01.csv"), &text).unwrap();
    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/plimsoll.yaml")).unwrap();
    std::fs::write(folder.join("c.yaml"), config).unwrap();
    // Swings that are alike to the unit are what a repeated file looks like: their volume tells them apart.
    let told = done(&plimsoll(folder, &["data", "import", "BTCUSDT-1m-2024-01.csv"]));
    let tape = "data/history/BTCUSDT/BTCUSDT-1m-2024-01.tape";
    assert!(told.contains(tape) && told.contains("2880 events, 2024-01-01 00:00:00.000Z to 2024-01-02 23:59:00.000Z"), "{told}");
    let told = done(&plimsoll(folder, &["data", "list"]));
    assert!(told.contains("2880 candles of 60 s"), "{told}");
    let told = done(&plimsoll(folder, &["data", "check", tape]));
    assert!(told.contains("well; 2880 candles"), "{told}");
    let told = done(&plimsoll(folder, &["backtest", "--config", "c.yaml", "--data", tape, "--funding", "0.01", "--wallet", "20000"]));
    assert!(told.contains("BTCUSDT  2024-01-01 00:00") && told.contains("liquidations 0"), "{told}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("backtest/report.json")).unwrap()).unwrap();
    let summary = &json["summary"];
    assert_eq!(summary["equity_begin"], 20_000.0);
    assert!(summary["round_trips"].as_u64().unwrap() > 100, "{summary}");
    assert!(summary["profit"].as_f64().unwrap() > 0.0 && summary["funding"].as_f64().unwrap() < 0.0, "{summary}");
    let fills = std::fs::read_to_string(folder.join("backtest/fills.csv")).unwrap();
    assert_eq!(fills.lines().count() as u64, summary["fills"].as_u64().unwrap() + 1);
    let page = std::fs::read_to_string(folder.join("backtest/report.html")).unwrap();
    assert!(!page.contains("{{") && !page.contains("http://") && !page.contains("https://"), "the page needs nothing else");
    let equity = std::fs::read_to_string(folder.join("backtest/equity.csv")).unwrap();
    assert!(equity.lines().count() > 1_000);
}

/// Written as Parquet or CSV and read again it is the same tape, to the byte.
#[test]
fn a_tape_goes_out_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::write(folder.join("BTCUSDT-1m-2024-01.csv"), candles(2)).unwrap();
    let trades: String = (0..5_000_u64)
        .map(|i| {
            format!("{},{}.{},0.0{:02},{},{},{}\n", 7 + i, 60_000 + i % 97, i % 10, 1 + i % 89, 0, 1_704_067_200_000 + i * 131, i % 3 == 0)
        })
        .collect();
    std::fs::write(folder.join("BTCUSDT-trades-2024-01-01.csv"), trades).unwrap();
    for (name, kind) in [("BTCUSDT-1m-2024-01", "klines"), ("BTCUSDT-trades-2024-01-01", "trades")] {
        done(&plimsoll(folder, &["data", "import", &format!("{name}.csv"), "--out", &format!("{kind}.tape"), "--allow-missing"]));
        for form in ["parquet", "csv"] {
            let (file, again) = (format!("BTCUSDT-{kind}.{form}"), format!("{kind}-{form}.tape"));
            let told = done(&plimsoll(folder, &["data", "export", &format!("{kind}.tape"), "--kind", kind, "--out", &file]));
            assert!(told.contains(if kind == "klines" { "2880 rows" } else { "5000 rows" }), "{told}");
            done(&plimsoll(folder, &["data", "import", &file, "--kind", kind, "--out", &again, "--allow-missing"]));
            let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
            assert!(read(&format!("{kind}.tape")) == read(&again), "{kind} by {form}");
        }
    }
    let refused = plimsoll(folder, &["data", "export", "klines.tape", "--kind", "levels", "--out", "levels.parquet"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing of this kind") && !folder.join("levels.parquet").exists());
    let refused = plimsoll(folder, &["data", "export", "klines.tape", "--kind", "klines", "--out", "klines.xls"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("must end in .parquet or .csv"));
    std::fs::write(folder.join("BTCUSDT-bad.parquet"), b"PAR1 no").unwrap();
    let refused = plimsoll(folder, &["data", "import", "BTCUSDT-bad.parquet", "--kind", "klines"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("BTCUSDT-bad.parquet"));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let mut rows: Vec<String> = candles(1).lines().map(str::to_owned).collect();
    rows.swap(700, 701);
    std::fs::write(folder.join("BTCUSDT-1m-x.csv"), rows.join("\n")).unwrap();
    let refused = plimsoll(folder, &["data", "import", "BTCUSDT-1m-x.csv"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("BTCUSDT-1m-x.csv, line 702, 2024-01-01 11:40:00.000Z: out of order"), "{told}");
    assert_eq!(refused.status.code(), Some(2));
    std::fs::write(folder.join("XYZUSDT-1m-x.csv"), candles(1)).unwrap();
    let refused = plimsoll(folder, &["data", "import", "XYZUSDT-1m-x.csv"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("--exchange-info"), "{told}");
    let refused = plimsoll(folder, &["backtest", "--data", "nowhere.tape"]);
    assert_eq!(refused.status.code(), Some(2));
}

/// A server of Binance Vision's layout with one file; the first answer breaks off in the middle.
///
/// It ends with the process; what it was asked can be read at any time.
fn vision(file: Vec<u8>, checksum: String) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let asked = std::sync::Arc::clone(&told);
    std::thread::spawn(move || {
        let mut breaks = true;
        while let Ok((mut stream, _)) = listener.accept() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let first = lines.next().unwrap();
            let path = first.split(' ').nth(1).unwrap().to_owned();
            let range = lines
                .take_while(|line| !line.is_empty())
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
            asked.lock().unwrap().push(format!("{path} {}", range.clone().unwrap_or_default()));
            let from: usize = range.and_then(|r| r.trim_end_matches('-').parse().ok()).unwrap_or(0);
            let (status, body) = match path.as_str() {
                p if p.ends_with("BTCUSDT-1m-2024-01.zip.CHECKSUM") => ("200 OK", checksum.clone().into_bytes()),
                p if p.ends_with("BTCUSDT-1m-2024-01.zip") && from > 0 => ("206 Partial Content", file[from..].to_vec()),
                p if p.ends_with("BTCUSDT-1m-2024-01.zip") => ("200 OK", file.clone()),
                _ => ("404 Not Found", Vec::new()),
            };
            let cut = if path.ends_with(".zip") && std::mem::take(&mut breaks) { body.len() / 2 } else { body.len() };
            let part = if from > 0 { format!("content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len()) } else { String::new() };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{part}connection: close\r\n\r\n", body.len()).unwrap();
            stream.write_all(&body[..cut]).unwrap();
        }
    });
    (url, told)
}

#[test]
fn a_download_that_breaks_off_goes_on_and_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let mut zipped = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zipped.start_file("BTCUSDT-1m-2024-01.csv", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zipped, candles(1).as_bytes()).unwrap();
    let file = zipped.finish().unwrap().into_inner();
    let sum: String = ring::digest::digest(&ring::digest::SHA256, &file).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let (url, served) = vision(file.clone(), format!("{sum}  BTCUSDT-1m-2024-01.zip\n"));
    let arguments = ["data", "download", "BTCUSDT", "--from", "2024-01", "--url", &url];
    let told = done(&plimsoll(folder, &arguments));
    assert!(told.contains("data/download/BTCUSDT/BTCUSDT-1m-2024-01.zip") && told.contains("checksum right"), "{told}");
    let asked = served.lock().unwrap().clone();
    let path = "/data/futures/um/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip";
    assert_eq!(asked, [format!("{path}.CHECKSUM "), format!("{path} "), format!("{path} {}-", file.len() / 2)]);
    assert_eq!(std::fs::read(folder.join("data/download/BTCUSDT/BTCUSDT-1m-2024-01.zip")).unwrap(), file);
    // It is not asked for again, and can be imported.
    let told = done(&plimsoll(folder, &arguments));
    assert!(told.contains("is there"), "{told}");
    done(&plimsoll(folder, &["data", "import", "data/download/BTCUSDT/BTCUSDT-1m-2024-01.zip"]));
}

#[test]
fn a_file_with_another_checksum_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let (url, served) = vision(b"something else".to_vec(), format!("{}  x\n", "ab".repeat(32)));
    let refused = plimsoll(folder, &["data", "download", "BTCUSDT", "--from", "2024-01", "--url", &url]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("checksum"), "{told}");
    assert_eq!(served.lock().unwrap().len(), 4);
    assert_eq!(std::fs::read_dir(folder.join("data/download/BTCUSDT")).unwrap().count(), 0);
}

/// An exchange's klines: minutes from a first one on, in pages of at most 1,000; asked once too often it refuses once.
fn rest(first: u64, minutes: u64) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let asked = std::sync::Arc::clone(&told);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let first_line = lines.next().unwrap();
            let path = first_line.split(' ').nth(1).unwrap().to_owned();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let field = |name: &str| path.split(['?', '&']).find_map(|part| part.strip_prefix(name)?.parse::<u64>().ok());
            let (from, to) = (field("startTime=").unwrap(), field("endTime=").unwrap());
            let count = {
                let mut asked = asked.lock().unwrap();
                asked.push(path.clone());
                asked.len()
            };
            let rows: Vec<String> = (0..minutes)
                .map(|m| first + m * 60_000)
                .filter(|at| (from..=to).contains(at))
                .take(1_000)
                .map(|at| {
                    format!(
                        r#"[{at},"60000.10","60010.00","59990.00","60001.20","{}.500",{},"90000.0",7,"0.700","42000.0","0"]"#,
                        at / 60_000 % 2_881,
                        at + 59_999
                    )
                })
                .collect();
            let (status, body) = if count == 2 {
                ("429 Too Many Requests", "{\"code\":-1003}".to_owned())
            } else {
                ("200 OK", format!("[{}]", rows.join(",")))
            };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    (url, told)
}

#[test]
fn candles_are_fetched_page_by_page_and_continued() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let (url, told) = rest(1_704_067_200_000, 2_880);
    std::fs::write(folder.join("c.yaml"), format!("exchange: paper\nbinance: {{ rest_url: \"{url}\" }}\ntrading:\n  symbols:\n    - {{ symbol: BTCUSDT, price_interval: 30, order_quantity: 250 }}\n")).unwrap();
    let fetch = |to: &str| plimsoll(folder, &["data", "candles", "BTCUSDT", "--from", "2024-01-01", "--to", to, "--config", "c.yaml"]);
    // The second page is refused: what came before is kept.
    let refused = fetch("2024-01-02");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("answers 429"), "{refused:?}");
    let file = folder.join("data/download/BTCUSDT/BTCUSDT-1m.csv");
    let lines = || std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines(), 1_001);
    // A row that was torn is fetched again.
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 20]).unwrap();
    assert!(done(&fetch("2024-01-02")).contains("441 more candles"));
    assert_eq!(lines(), 1_441);
    assert!(done(&fetch("2024-01-03")).contains("1440 more candles"));
    assert!(done(&fetch("2024-01-03")).contains("0 more candles"));
    assert_eq!((lines(), told.lock().unwrap().len()), (2_881, 5));
    let told = done(&plimsoll(folder, &["data", "import", &file.display().to_string(), "--out", "out.tape"]));
    assert!(told.contains("2880 events"), "{told}");
    for (arguments, says) in
        [(["--from", "2024-13-01"], "is no day"), (["--interval", "2s"], "is none of 1m"), (["--from", "2999-01-01"], "not before the end")]
    {
        let mut all = vec!["data", "candles", "BTCUSDT", "--config", "c.yaml"];
        if arguments[0] != "--from" {
            all.extend(["--from", "2024-01-01"]);
        }
        all.extend(arguments);
        let refused = plimsoll(folder, &all);
        assert!(String::from_utf8_lossy(&refused.stderr).contains(says), "{refused:?}");
    }
}
