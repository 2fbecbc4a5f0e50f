//! The least that an HTTP server of this kind costs: the same axum, allocator and threads as the gateway, and one answer
//! that was made before. `cargo run --release --example floor -- PORT FILE` answers every POST /graphql with the bytes of FILE.

use std::net::Ipv4Addr;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use axum::serve::ListenerExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().context("PORT FILE")?.parse().context("PORT")?;
    let file = arguments.next().context("PORT FILE")?;
    let answer = Bytes::from(std::fs::read(&file).with_context(|| file.clone())?);
    // The request's body is read, as a server that looks at it would.
    let app = Router::new().route(
        "/graphql",
        post(move |_request: Bytes| {
            let answer = answer.clone();
            async move { ([(CONTENT_TYPE, "application/json; charset=utf-8")], answer) }
        }),
    );
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    // As the gateway does.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
