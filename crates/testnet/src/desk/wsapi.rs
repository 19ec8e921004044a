use plimsoll_exchange::binance::server::{
    ApiError, Endpoint, Security, Signed, Used, WsRequest, parse_ws_request, write_ws_error, write_ws_result,
};
use plimsoll_market::Time;

use super::{Desk, check_time};

/// What a method of the WebSocket API does, what it needs, what it weighs, and how many orders it counts as.
struct Method {
    endpoint: Endpoint,
    security: Security,
    weight: u32,
    orders: u32,
}

const fn method(endpoint: Endpoint, security: Security, weight: u32, orders: u32) -> Method {
    Method { endpoint, security, weight, orders }
}

/// Finds a method; those that sign once for a connection are named as not supported.
fn find_method(name: &str) -> Result<Method, ApiError> {
    use Security::{Key, Open};
    const SIGNED: Security = Security::Signed;
    Ok(match name {
        "ping" => method(Endpoint::Ping, Open, 1, 0),
        "time" => method(Endpoint::Time, Open, 1, 0),
        "depth" => method(Endpoint::Depth, Open, 5, 0),
        "ticker.price" => method(Endpoint::TickerPrice, Open, 2, 0),
        "ticker.book" => method(Endpoint::TickerBook, Open, 5, 0),
        "order.place" => method(Endpoint::PlaceOrder, SIGNED, 0, 1),
        "order.modify" => method(Endpoint::ModifyOrder, SIGNED, 0, 1),
        "order.cancel" => method(Endpoint::CancelOrder, SIGNED, 1, 0),
        "order.status" => method(Endpoint::QueryOrder, SIGNED, 1, 0),
        "account.balance" | "v2/account.balance" => method(Endpoint::Balance, SIGNED, 5, 0),
        "account.status" => method(Endpoint::AccountV2, SIGNED, 5, 0),
        "v2/account.status" => method(Endpoint::AccountV3, SIGNED, 5, 0),
        "account.position" => method(Endpoint::PositionRiskV2, SIGNED, 5, 0),
        "v2/account.position" => method(Endpoint::PositionRiskV3, SIGNED, 5, 0),
        "userDataStream.start" => method(Endpoint::StartStream, Key, 5, 0),
        "userDataStream.ping" => method(Endpoint::KeepStream, Key, 1, 0),
        "userDataStream.stop" => method(Endpoint::CloseStream, Key, 1, 0),
        "session.logon" | "session.status" | "session.logout" => {
            return Err(ApiError::unsupported("sessions need Ed25519 keys; sign each request with HMAC instead"));
        }
        _ => return Err(ApiError::unsupported("unknown method")),
    })
}

impl Desk {
    /// Answers a message of the WebSocket API.
    pub(crate) fn ws_call(&mut self, now: Time, text: &str) -> String {
        let (id, outcome) = match parse_ws_request(text) {
            Ok(request) => {
                let outcome = self.ws_answer(now, &request).and_then(|body| self.promised(body));
                (request.id, outcome)
            }
            Err((id, error)) => (id, Err(error)),
        };
        let used = Used { weight_limit: self.rates.limits().weight_per_minute, weight: self.rates.weight(now) };
        let mut out = String::new();
        match outcome {
            Ok(result) => write_ws_result(&mut out, &id, &result, used),
            Err(error) => write_ws_error(&mut out, &id, &error, used),
        }
        out
    }

    fn ws_answer(&mut self, now: Time, request: &WsRequest) -> Result<String, ApiError> {
        let method = find_method(&request.method)?;
        self.rates.take(now, method.weight)?;
        let params = &request.params;
        let account = match method.security {
            Security::Open => None,
            Security::Key | Security::Signed => Some(self.keys.account(params.maybe("apiKey")?)?),
        };
        if let (Some(account), Security::Signed) = (account, method.security) {
            check_time(now, params)?;
            Signed::sorted(params)?.verify(self.keys.signer(account)?)?;
        }
        if let Some(account) = account {
            self.count_orders(now, account, method.orders)?;
        }
        self.carry_out(now, method.endpoint, account, params)
    }
}
