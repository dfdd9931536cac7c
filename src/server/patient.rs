//! A stream that does not wait for ever for a client who doesn't read, or hardly does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Fails once nothing that is to be written was taken for `patience`, or not all of it within `longest`. Who reads slowly is waited
/// for as long as that.
pub struct Patient<S> {
    stream: S,
    patience: Duration,
    longest: Duration,
    /// When that was begun which is not taken as a whole yet. Whoever writes flushes once it is: of an answer that goes on and on
    /// each piece counts for itself.
    begun: Option<Instant>,
    /// Since a write has to wait.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Patient<S> {
    pub fn new(stream: S, patience: Duration, longest: Duration) -> Self {
        Self { stream, patience, longest, begun: None, end: None }
    }

    fn write<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if let Poll::Ready(written) = write(Pin::new(&mut self.stream), context) {
            self.end = None;
            return Poll::Ready(written);
        }
        let until = || (Instant::now() + self.patience).min(begun + self.longest);
        let end = self.end.get_or_insert_with(|| Box::pin(sleep_until(until())));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().write(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().write(context, |stream, context| stream.poll_write_vectored(context, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = ready!(this.write(context, |stream, context| stream.poll_flush(context)));
        this.begun = None;
        Poll::Ready(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().write(context, |stream, context| stream.poll_shutdown(context))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const PATIENCE: Duration = Duration::from_secs(30);
    const LONGEST: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn who_never_reads_is_waited_for_so_long() {
        let (server, _client) = duplex(8);
        let since = Instant::now();
        let error = Patient::new(server, PATIENCE, LONGEST).write_all(&[0; 9]).await.unwrap_err();
        assert_eq!((error.kind(), since.elapsed().as_secs()), (io::ErrorKind::TimedOut, PATIENCE.as_secs()));
    }

    /// Reads eight bytes at a time, each as late as it may be.
    async fn read_slowly(client: &mut DuplexStream, bytes: usize) {
        let mut read = 0;
        while read < bytes {
            // In virtual time.
            tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
            match client.read(&mut [0; 8]).await.unwrap() {
                0 => return,
                more => read += more,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_gets_all_of_it() {
        let (server, mut client) = duplex(8);
        let mut server = Patient::new(server, PATIENCE, LONGEST);
        let (written, ()) = tokio::join!(server.write_all(&[0; 80]), read_slowly(&mut client, 80));
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_now_and_then_is_waited_for_so_long() {
        let (server, mut client) = duplex(8);
        let (mut server, since) = (Patient::new(server, PATIENCE, LONGEST), Instant::now());
        let writing = async {
            let error = server.write_all(&[0; 800]).await.unwrap_err();
            drop(server);
            (error.kind(), since.elapsed())
        };
        let ((kind, lasted), ()) = tokio::join!(writing, read_slowly(&mut client, 800));
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert!(lasted >= LONGEST && lasted < LONGEST + PATIENCE, "{lasted:?}");
    }

    /// Each piece that was flushed was taken: the next one has the whole time.
    #[tokio::test(start_paused = true)]
    async fn what_goes_on_and_on_is_bounded_piece_by_piece() {
        let (server, mut client) = duplex(8);
        let mut server = Patient::new(server, PATIENCE, LONGEST);
        let writing = async {
            for _ in 0..10 {
                server.write_all(&[0; 80]).await?;
                server.flush().await?;
            }
            io::Result::Ok(())
        };
        let (written, ()) = tokio::join!(writing, read_slowly(&mut client, 800));
        written.unwrap();
    }
}
