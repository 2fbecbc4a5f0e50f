//! The server: takes connections up to a bound, ends those that nothing comes of, and stops gracefully.
//!
//! Heads are bounded by hyper in bytes and in number, bodies and answers in time by who handles the request. What is left is a
//! connection without a request: one that never sends a whole head, and one that is kept open and not used. Both have as long
//! as a request may take.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, Version};
use axum::serve::Listener;
use axum::{BoxError, Error};
use http_body::{Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, interval, sleep_until};
use tower::Service;

use super::track::{Answering, Tracked};
use crate::spawn;

/// Requests of one HTTP/2 connection at one time.
const STREAMS: u32 = 100;
/// Streams of it that were begun and called off before they were looked at; and those that were ended for a mistake of the
/// peer. Who has more of either is a nuisance, and loses the connection.
const CALLED_OFF: usize = 20;
const MISTAKEN: usize = 100;

/// How often a connection is looked at in the time that it may do nothing.
const LOOKS: u32 = 4;

/// Who connects sends a request within this time, as a rule: before it, the end of the server closes no connection without one.
const FIRST: Duration = Duration::from_millis(500);

/// As often as this the log says that there is no room for more connections.
const SELDOM: Duration = Duration::from_secs(10);

/// What connections may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Most of them at one time.
    pub connections: usize,
    /// Largest head of a request, in bytes.
    pub head: usize,
    /// Most time without a request.
    pub quiet: Duration,
}

/// Serves until `stop`, and until what is in progress then is answered. Meanwhile nobody is let in any more, and who is connected
/// is answered as long as anything is in progress, so that a kept connection is not cut while a request is on its way.
pub async fn run(mut listener: TcpListener, service: Tracked, limits: Limits, stop: impl Future<Output = ()>) {
    let builder = Arc::new(protocols(limits));
    let files = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = within_files(limits.connections, &files);
    let room = Arc::new(Semaphore::new(most));
    let ((ending, told), (in_progress, mut progress)) = (watch::channel(()), mpsc::channel(1));
    let end = End { told, in_progress };
    let mut stop = pin!(stop);
    let mut warned: Option<Instant> = None;
    loop {
        let accept = async {
            let slot = match room.clone().try_acquire_owned() {
                Ok(slot) => Ok(slot),
                Err(_) => {
                    if warned.is_none_or(|at| at.elapsed() >= SELDOM) {
                        warned = Some(Instant::now());
                        tracing::warn!(most, "connections wait: there are as many as there may be");
                    }
                    room.clone().acquire_owned().await
                }
            };
            let (io, _) = Listener::accept(&mut listener).await;
            // Answers are small: waiting to fill a packet would only make them late.
            let _ = io.set_nodelay(true);
            slot.map(|slot| Stream { io, _slot: slot })
        };
        let io = tokio::select! {
            io = accept => io,
            () = &mut stop => break,
        };
        let Ok(io) = io else { break };
        let (builder, service, end) = (builder.clone(), service.clone(), end.clone());
        spawn::boxed(async move { attend(&builder, io, service, limits.quiet, end).await });
    }
    // Those that were connected and not yet taken would lose their requests with the listener.
    if let Ok(listener) = listener.into_std() {
        while let Ok((io, _)) = listener.accept() {
            let (Ok(slot), Ok(())) = (room.clone().try_acquire_owned(), io.set_nonblocking(true)) else { break };
            let Ok(io) = TcpStream::from_std(io) else { break };
            let (builder, service, end) = (builder.clone(), service.clone(), end.clone());
            let io = Stream { io, _slot: slot };
            spawn::boxed(async move { attend(&builder, io, service, limits.quiet, end).await });
        }
    }
    drop(end);
    ending.send_replace(());
    // Nothing is ever sent: it ends with the last that holds on to it.
    let _ = progress.recv().await;
    ending.send_replace(());
    // Until none is left that would have to be told.
    ending.closed().await;
}

/// As many connections as are wanted, if there are files for them: a quarter of those that the process may have open is for its own
/// calls, so that no crowd of callers can take the upstream from it.
fn within_files(wanted: usize, told: &str) -> usize {
    let row = told.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files: Option<usize> = row.and_then(|row| row.split_whitespace().next()?.parse().ok());
    match files.map(|files| files / 4 * 3) {
        Some(most) if most < wanted => {
            tracing::info!(
                wanted,
                most,
                "fewer connections than GATEWAY_MAX_CONNECTIONS: the process may not open more files"
            );
            most.max(1)
        }
        _ => wanted,
    }
}

fn protocols(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits.head);
    builder
        .http2()
        .enable_connect_protocol()
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(CALLED_OFF)
        .max_local_error_reset_streams(MISTAKEN);
    builder
}

/// How a connection learns that the server ends: it is told when no more are taken, and again when nothing is in progress any more.
#[derive(Clone)]
struct End {
    told: watch::Receiver<()>,
    /// Who holds on to it is waited for before all are told again.
    in_progress: mpsc::Sender<Infallible>,
}

/// One connection to its end.
async fn attend(builder: &Builder<TokioExecutor>, io: Stream, service: Tracked, most: Duration, end: End) {
    let requests = Arc::<Requests>::default();
    let service = TowerToHyperService::new(Counted { inner: service, requests: requests.clone() });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    // The first look is at once.
    let mut looks = interval((most / LOOKS).max(Duration::from_millis(1)));
    let (mut quiet, mut seen) = (0, 0);
    let End { mut told, in_progress } = end;
    let (mut ends, mut in_progress) = (0, Some(in_progress));
    let began = Instant::now();
    let (mut fresh, mut last) = (false, pin!(sleep_until(began + FIRST)));
    loop {
        tokio::select! {
            biased;
            // How it ended is between hyper and the peer.
            _ = connection.as_mut() => return,
            _ = told.changed(), if ends < 2 => {
                ends += 1;
                requests.are_last.store(true, Ordering::Relaxed);
                let is_new = requests.begun.load(Ordering::Relaxed) == 0 && began.elapsed() < FIRST;
                let is_idle = requests.running.load(Ordering::Relaxed) == 0;
                match ends {
                    // It has a request on its way.
                    1 if is_new => fresh = true,
                    // Whoever asks over it is answered as long as others are, and not waited for.
                    1 if is_idle => drop(in_progress.take()),
                    _ => connection.as_mut().graceful_shutdown(),
                }
            }
            () = last.as_mut(), if fresh => {
                fresh = false;
                connection.as_mut().graceful_shutdown();
            }
            _ = looks.tick() => {
                let begun = requests.begun.load(Ordering::Relaxed);
                let busy = begun != seen || requests.running.load(Ordering::Relaxed) > 0;
                (quiet, seen) = (if busy { 0 } else { quiet + 1 }, begun);
                if quiet > LOOKS + 1 {
                    return;
                }
                if quiet > LOOKS {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The requests of a connection.
#[derive(Default)]
struct Requests {
    begun: AtomicUsize,
    running: AtomicUsize,
    /// Whether no more are to come after those that are here.
    are_last: AtomicBool,
}

/// One that is answered, until the last of its answer is handed over.
struct Running(Arc<Requests>);

impl Running {
    fn begin(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::Relaxed);
        requests.running.fetch_add(1, Ordering::Relaxed);
        Self(requests.clone())
    }

    fn is_last(&self) -> bool {
        self.0.are_last.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What answers, counting.
#[derive(Clone)]
struct Counted {
    inner: Tracked,
    requests: Arc<Requests>,
}

impl<B> Service<Request<B>> for Counted
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Counting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Counting {
        let running = Some(Running::begin(&self.requests));
        // HTTP/2 says the same by other means.
        let says_close = request.version() < Version::HTTP_2;
        Counting { inner: self.inner.call(request.map(Body::new)), running, says_close }
    }
}

pin_project! {
    /// A request that is being answered.
    struct Counting {
        #[pin]
        inner: Answering,
        running: Option<Running>,
        says_close: bool,
    }
}

impl Future for Counting {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let running = this.running.take();
        if *this.says_close && running.as_ref().is_some_and(Running::is_last) {
            // Not in place of what a request that becomes a WebSocket is answered.
            response.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|body| Answer { body, _running: running })))
    }
}

pin_project! {
    /// The body of an answer.
    struct Answer {
        #[pin]
        body: Body,
        _running: Option<Running>,
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// A connection with its place among those that there may be; also once it has become something else than HTTP.
    struct Stream {
        #[pin]
        io: TcpStream,
        _slot: OwnedSemaphorePermit,
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().io.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().io.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_files_is_left_for_calls() {
        let told = |files: &str| {
            format!("Limit  Soft Limit  Hard Limit  Units\nMax open files            {files}  524288  files\n")
        };
        for (files, most) in [("1024", 768), ("20000", 10_000), ("unlimited", 10_000), ("2", 1)] {
            assert_eq!(within_files(10_000, &told(files)), most, "{files}");
        }
        assert_eq!(within_files(10_000, ""), 10_000);
    }
}
