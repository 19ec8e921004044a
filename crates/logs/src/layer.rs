//! The layer of `tracing`: makes a record of what an event says.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use plimsoll_market::LogLevel;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::capture::{Capped, Said, SpanFields};
use crate::limits::{CAPTURE_MAX, CUT_MARK, SPAN_MAX, SPANS_MAX, TEXT_MAX};
use crate::logs::Inner;
use crate::record::Record;

thread_local! {
    /// Whether this thread is handing out a line: what it says meanwhile is not a line.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Ends with the line, also by a panic of what is logged.
struct Busy;

impl Busy {
    fn begin() -> Option<Self> {
        // A thread that ends has no such place any more, and says nothing more either.
        let was = BUSY.try_with(|busy| busy.replace(true)).unwrap_or(true);
        // Made only when it is given: one that is dropped ends the line.
        if was { None } else { Some(Self) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.try_with(|busy| busy.set(false)).ok();
    }
}

/// Gives every event to a [`crate::Logs`]. Put a filter over it.
pub struct LogLayer {
    inner: Arc<Inner>,
}

impl LogLayer {
    pub(crate) const fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }
}

impl std::fmt::Debug for LogLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogLayer")
    }
}

/// The fields of a span, kept with it.
struct SpanText(Capped);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut fields = SpanFields(Capped::new(SPAN_MAX));
        attributes.record(&mut fields);
        span.extensions_mut().replace(SpanText(fields.0));
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        if let Some(SpanText(text)) = extensions.get_mut() {
            let mut fields = SpanFields(std::mem::replace(text, Capped::new(0)));
            values.record(&mut fields);
            *text = fields.0;
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let Some(_busy) = Busy::begin() else {
            self.inner.nested.fetch_add(1, Relaxed);
            return;
        };
        let metadata = event.metadata();
        let level = level(*metadata.level());
        if !self.inner.may(level) {
            return;
        }
        let mut said = Said::new();
        event.record(&mut said);
        let mut text = Capped::new(CAPTURE_MAX);
        let whole = write_line(&mut text, &said, event, &ctx).is_ok();
        let Said { message, fields, account, symbol } = said;
        let cut = !whole || text.is_cut() || message.is_cut() || fields.is_cut();
        let clean = self.inner.redactor.clean(text.into_string(), cut);
        let record =
            Record { time: self.inner.time(), level, target: metadata.target(), text: shorten(clean, cut).into(), account, symbol };
        self.inner.take(record);
    }
}

/// Spans from the outermost on, the message, the fields.
fn write_line<S: Subscriber + for<'a> LookupSpan<'a>>(
    text: &mut Capped,
    said: &Said,
    event: &Event<'_>,
    ctx: &Context<'_, S>,
) -> std::fmt::Result {
    use std::fmt::Write;
    if let Some(scope) = ctx.event_scope(event) {
        let mut named = false;
        for span in scope.from_root().take(SPANS_MAX) {
            text.write_str(span.name())?;
            if let Some(SpanText(fields)) = span.extensions().get()
                && !fields.is_empty()
            {
                write!(text, "{{{}}}", fields.as_str())?;
            }
            text.write_char(':')?;
            named = true;
        }
        if named {
            text.write_char(' ')?;
        }
    }
    text.write_str(said.message.as_str())?;
    if !said.fields.is_empty() {
        if !said.message.is_empty() {
            text.write_char(' ')?;
        }
        text.write_str(said.fields.as_str())?;
    }
    Ok(())
}

/// Cuts a text to what a line may have, and marks one that is not whole.
fn shorten(mut text: String, cut: bool) -> String {
    if text.len() <= TEXT_MAX && !cut {
        return text;
    }
    text.truncate(text.floor_char_boundary(TEXT_MAX - CUT_MARK.len()));
    text.push_str(CUT_MARK);
    text
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}
