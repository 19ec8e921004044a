//! Tells what messages of the exchange say: `decode [--as KIND] [FILE]...`, or a message of its own without arguments.

use plimsoll_exchange::binance::describe::{Kind, describe};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const SAMPLE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"BTCUSDT",
        "t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
    let mut arguments = std::env::args().skip(1);
    let mut hint = None;
    let mut messages = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--as" {
            hint = Some(arguments.next().ok_or("--as needs a kind")?.parse::<Kind>()?);
        } else {
            messages.push((std::fs::read(&argument)?, argument));
        }
    }
    if messages.is_empty() {
        messages.push((SAMPLE.as_bytes().to_vec(), "sample".to_owned()));
    }
    let mut out = std::io::stdout().lock();
    for (message, name) in &messages {
        let mut text = String::new();
        match describe(&mut text, message, hint) {
            Ok(kind) => writeln!(out, "{name}: {kind}\n{text}")?,
            Err(error) => writeln!(out, "{name}: {}\n", error.chain())?,
        }
    }
    Ok(())
}
