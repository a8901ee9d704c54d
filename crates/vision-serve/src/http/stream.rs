//! A connection that a client cannot hold by not reading.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long a client may go on sending after the last answer. If the connection were closed at once, the system would reset
/// it, and a client that has not yet sent everything would not see why it was refused.
const LINGER: Duration = Duration::from_secs(1);

/// A connection whose writes fail if the client takes nothing for too long, and that is closed in the order in which clients
/// expect it.
pub(super) struct Stream {
    inner: TcpStream,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    lingers: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, patience: Duration) -> Self {
        Self {
            inner,
            patience,
            stalled: None,
            lingers: None,
        }
    }

    /// The result of a write, or an error if writes have been waiting for too long.
    fn patient<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, to)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.patient(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.patient(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(context);
        self.patient(context, result)
    }

    /// Ends the answers, and reads what the client still sends, up to [`LINGER`].
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.lingers = Some(Box::pin(sleep(LINGER)));
        }
        if let Some(lingers) = &mut self.lingers
            && lingers.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        let mut space = [0; 16 << 10];
        loop {
            let mut rest = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.inner).poll_read(context, &mut rest)) {
                Ok(()) if !rest.filled().is_empty() => {}
                // It has ended too, or is gone.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
