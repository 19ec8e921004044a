//! Errors as the exchange words them.

use std::borrow::Cow;

use super::json::Object;

/// A refusal: HTTP status, the exchange's code, its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {msg}")]
pub struct ApiError {
    /// HTTP status it goes out with.
    pub status: u16,
    /// The exchange's code, below zero.
    pub code: i32,
    /// The exchange's text.
    pub msg: Cow<'static, str>,
}

impl ApiError {
    const fn fixed(status: u16, code: i32, msg: &'static str) -> Self {
        Self { status, code, msg: Cow::Borrowed(msg) }
    }

    const fn plain(code: i32, msg: &'static str) -> Self {
        Self::fixed(400, code, msg)
    }

    fn worded(code: i32, msg: String) -> Self {
        Self { status: 400, code, msg: Cow::Owned(msg) }
    }

    /// What the matching engine refused, by its code and text.
    pub fn refused(code: i32, text: String) -> Self {
        let status = if code == -2015 { 401 } else { 400 };
        Self { status, code, msg: Cow::Owned(text) }
    }

    /// Writes the document that goes out.
    pub fn write(&self, out: &mut String) {
        Object::new(out).bare("code", self.code).text("msg", &self.msg).end();
    }

    /// Something went wrong on this side; nothing was done.
    pub const fn unknown() -> Self {
        Self::plain(-1000, "An unknown error occurred while processing the request.")
    }

    /// The path is not served.
    pub const fn not_found() -> Self {
        Self::fixed(404, -5000, "Path not found, please check the path and method.")
    }

    /// The method is not served on a known path.
    pub const fn method_not_allowed() -> Self {
        Self::fixed(405, -5001, "Method not allowed, please check the path and method.")
    }

    /// More request weight in a minute than allowed.
    pub fn too_many_requests(limit: u32) -> Self {
        let msg = format!(
            "Too many requests; current limit is {limit} requests per minute. Please use the websocket for live updates to avoid polling the API."
        );
        Self { status: 429, code: -1003, msg: Cow::Owned(msg) }
    }

    /// Requests went on after being told to stop.
    pub fn banned(until_ms: u64) -> Self {
        let msg = format!("Way too many requests; IP banned until {until_ms}. Please use the websocket for live updates to avoid bans.");
        Self { status: 418, code: -1003, msg: Cow::Owned(msg) }
    }

    /// More orders in an interval than allowed.
    pub fn too_many_orders(limit: u32, interval: &str) -> Self {
        let msg = format!("Too many new orders; current limit is {limit} orders per {interval}.");
        Self { status: 429, code: -1015, msg: Cow::Owned(msg) }
    }

    /// The engine is too busy to take the request; nothing was done.
    pub const fn busy() -> Self {
        Self::fixed(503, -1008, "Server is currently overloaded with other requests. Please try again in a few minutes.")
    }

    /// The request was taken over but not answered in time.
    pub const fn timeout() -> Self {
        Self::fixed(503, -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.")
    }

    /// The request's time stamp is too old.
    pub const fn timestamp_old() -> Self {
        Self::plain(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    /// The request's time stamp is from the future.
    pub const fn timestamp_ahead() -> Self {
        Self::plain(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    }

    /// The window is longer than the exchange takes.
    pub const fn recv_window_long() -> Self {
        Self::plain(-1131, "recvWindow must be less than 60000")
    }

    /// The signature does not fit the text.
    pub const fn signature() -> Self {
        Self::plain(-1022, "Signature for this request is not valid.")
    }

    /// The start lies after the end.
    pub const fn start_after_end() -> Self {
        Self::plain(-1023, "Start time is greater than end time.")
    }

    /// Start and end lie too far apart.
    pub fn span_long(hours: u64) -> Self {
        Self::worded(-1127, format!("More than {hours} hours between startTime and endTime."))
    }

    /// A parameter has characters that it cannot have.
    pub fn illegal(name: &str, range: &str) -> Self {
        Self::worded(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."))
    }

    /// More parameters than are taken, or one of them twice.
    pub fn too_many_params(expected: usize, received: usize) -> Self {
        Self::worded(-1101, format!("Too many parameters; expected '{expected}' and received '{received}'."))
    }

    /// A parameter was sent twice.
    pub const fn duplicate_param() -> Self {
        Self::plain(-1101, "Duplicate values for a parameter detected.")
    }

    /// A parameter is needed and absent, empty or malformed.
    pub fn missing(name: &str) -> Self {
        Self::worded(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// One of two parameters is needed.
    pub fn either(one: &str, other: &str) -> Self {
        Self::worded(-1102, format!("Param '{one}' or '{other}' must be sent, but both were empty/null!"))
    }

    /// An optional parameter was sent empty.
    pub fn empty(name: &str) -> Self {
        Self::worded(-1105, format!("Parameter '{name}' was empty."))
    }

    /// A parameter was sent that does not go with the others.
    pub fn not_required(name: &str) -> Self {
        Self::worded(-1106, format!("Parameter '{name}' sent when not required."))
    }

    /// More digits than the symbol has.
    pub const fn precision() -> Self {
        Self::plain(-1111, "Precision is over the maximum defined for this asset.")
    }

    /// A time in force that does not exist.
    pub const fn bad_time_in_force() -> Self {
        Self::plain(-1115, "Invalid timeInForce.")
    }

    /// An order type that does not exist.
    pub const fn bad_order_type() -> Self {
        Self::plain(-1116, "Invalid orderType.")
    }

    /// A side that does not exist.
    pub const fn bad_side() -> Self {
        Self::plain(-1117, "Invalid side.")
    }

    /// A candle interval that does not exist.
    pub const fn bad_interval() -> Self {
        Self::plain(-1120, "Invalid interval.")
    }

    /// A symbol that does not exist.
    pub const fn bad_symbol() -> Self {
        Self::plain(-1121, "Invalid symbol.")
    }

    /// No such listen key.
    pub const fn no_listen_key() -> Self {
        Self::plain(-1125, "This listenKey does not exist.")
    }

    /// A value outside what the parameter can be.
    pub fn invalid_data(name: &str) -> Self {
        Self::worded(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// A response type that does not exist.
    pub const fn bad_response_type() -> Self {
        Self::plain(-1136, "Invalid newOrderRespType.")
    }

    /// No open order to cancel.
    pub const fn unknown_order() -> Self {
        Self::plain(-2011, "Unknown order sent.")
    }

    /// No key was sent, or not a key.
    pub const fn key_format() -> Self {
        Self::fixed(401, -2014, "API-key format invalid.")
    }

    /// The key is not known.
    pub const fn key_refused() -> Self {
        Self::fixed(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    /// Price zero or below.
    pub const fn price_not_positive() -> Self {
        Self::plain(-4001, "Price less than 0.")
    }

    /// Quantity zero or below.
    pub const fn qty_not_positive() -> Self {
        Self::plain(-4003, "Quantity less than or equal to zero.")
    }

    /// Client order id longer than 36 characters.
    pub const fn client_id_long() -> Self {
        Self::plain(-4015, "Client order id length should not be more than 36 chars")
    }

    /// A position side that does not exist.
    pub const fn bad_position_side() -> Self {
        Self::plain(-4060, "Invalid position side.")
    }

    /// The order's position side is not of the account's mode.
    pub const fn position_side_mismatch() -> Self {
        Self::plain(-4061, "Order's position side does not match user's setting.")
    }

    /// No order in a batch, or too many.
    pub const fn batch_length() -> Self {
        Self::plain(-4082, "Invalid number of batch place orders.")
    }

    /// Conditional orders have an endpoint of their own.
    pub const fn algo_endpoint() -> Self {
        Self::plain(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
    }

    /// Asset mode is what it is asked to be.
    pub const fn assets_mode_same() -> Self {
        Self::plain(-4171, "No need to change multi-assets mode.")
    }

    /// Something the exchange has and this one has not.
    pub fn unsupported(what: &str) -> Self {
        Self::worded(-1020, format!("This operation is not supported: {what}."))
    }
}
