//! Mail over SMTP, spoken by lettre over connections that we open and bound.

use crate::config::{Email, Security};
use crate::error::SendError;
use crate::http::{CaError, Dialer, Stream};
use crate::limits::SMTP_ANSWERS_MAX;
use crate::secret::{Note, Redactor, Secret};
use crate::target::End;
use lettre::address::Envelope;
use lettre::message::{Mailbox, Message, header};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

/// A mail server, and who writes to whom.
pub(crate) struct Mailer {
    end: End,
    /// For TLS after the greeting.
    starttls: Option<TlsParameters>,
    login: Option<(String, Secret)>,
    from: Mailbox,
    to: Box<[Mailbox]>,
}

impl Mailer {
    /// Takes a checked configuration.
    pub(crate) fn new(email: &Email, extra: Option<&[u8]>) -> Result<Self, CaError> {
        let Email { host, port, security, user, password, from, to } = email;
        let starttls = match security {
            Security::StartTls => Some(parameters(host, extra)?),
            Security::None | Security::Tls => None,
        };
        let port = port.unwrap_or(security.port());
        let end = End { tls: *security == Security::Tls, host: host.clone(), port, authority: host.clone() };
        // What is not a mail address was told by the check.
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|_| CaError::Malformed);
        Ok(Self {
            end,
            starttls,
            login: user.clone().zip(password.clone()),
            from: mailbox(from)?,
            to: to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    /// Hands one mail over, within `timeout` in all.
    pub(crate) async fn send(
        &self,
        dialer: &Dialer,
        subject: &str,
        body: String,
        connect_timeout: Duration,
        timeout: Duration,
        redactor: &Redactor,
    ) -> Result<(), SendError> {
        let deadline = Instant::now() + timeout;
        let (envelope, mail) = self.write(subject, body)?;
        let stream = dialer.dial(&self.end, connect_timeout.min(timeout)).await?;
        let fault = |error: lettre::transport::smtp::Error| {
            let text = redactor.note(&chain(&error));
            match error.status() {
                Some(code) => SendError::Mail { code: u16::from(code), text },
                None if error.is_tls() => SendError::Tls(text),
                None => SendError::MailTalk(text),
            }
        };
        let conversation = async {
            let name = ClientId::Domain(self.from.email.domain().to_owned());
            let stream = Box::new(Capped { stream, left: SMTP_ANSWERS_MAX });
            let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &name).await.map_err(fault)?;
            if let Some(parameters) = &self.starttls {
                connection.starttls(parameters.clone(), &name).await.map_err(fault)?;
            }
            if let Some((user, password)) = &self.login {
                let credentials = Credentials::new(user.clone(), password.expose().to_owned());
                connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(fault)?;
            }
            connection.send(&envelope, &mail).await.map_err(fault)?;
            // It has been taken; how the farewell goes does not matter.
            drop(connection.quit().await);
            Ok(())
        };
        timeout_at(deadline, conversation).await.unwrap_or(Err(SendError::Timeout { after: timeout }))
    }

    fn write(&self, subject: &str, body: String) -> Result<(Envelope, Vec<u8>), SendError> {
        let mut builder = Message::builder().from(self.from.clone()).subject(subject);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        // People's absence notices are no answer to a machine.
        let builder = builder.header(AutoSubmitted).header(header::ContentType::TEXT_PLAIN);
        let mail = builder.body(body).map_err(|error| SendError::Build(Note::plain(&error.to_string())))?;
        Ok((mail.envelope().clone(), mail.formatted()))
    }
}

/// RFC 3834.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn parameters(host: &str, extra: Option<&[u8]>) -> Result<TlsParameters, CaError> {
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::WebpkiRoots);
    if let Some(pem) = extra {
        builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(|_| CaError::Malformed)?);
    }
    builder.build_rustls().map_err(|_| CaError::Malformed)
}

/// An error with its causes, which lettre leaves out of the text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        cause = error.source();
    }
    out
}

/// A connection that ends when the other side has sent too much: lettre reads lines of any length.
#[derive(Debug)]
struct Capped {
    stream: Stream,
    left: u64,
}

impl AsyncTokioStream for Capped {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer()
    }
}

impl AsyncRead for Capped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(Err(io::Error::other("the mail server sent too much")));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.left = this.left.saturating_sub((buf.filled().len() - before) as u64);
        read
    }
}

impl AsyncWrite for Capped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
