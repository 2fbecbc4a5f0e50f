//! The promises of the gateway, kept through its front door: a sandbox upstream and the gateway are started, asked
//! over HTTP, and the upstream calls are counted.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod answers;
mod arrows;
mod callers;
mod catalog;
mod check;
mod commands;
mod credentials;
mod crowds;
mod demo;
mod differential;
mod docs;
mod down;
mod ending;
mod equality;
mod events;
mod federation;
mod freshness;
mod guards;
mod http;
mod hygiene;
mod lists;
mod merging;
mod mock;
mod outside;
mod pages;
mod partial;
mod paths;
mod performance;
mod plan;
mod profile;
mod quota;
mod readme;
mod redirects;
mod replicas;
mod sandbox;
mod schema;
mod security;
mod settings_file;
mod shared;
mod stale;
mod subscriptions;
mod support;
mod tenancy;
mod terminal;
mod together;
mod torrents;
mod traces;
mod trusted;
mod untold;
mod untold_schema;
mod vendor;
mod writes;
