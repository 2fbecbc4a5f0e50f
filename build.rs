//! Builds the explorer (the GraphiQL page of `explorer/`) and packs it into the binary.
//!
//! Where Node.js and npm are there, `explorer/` and the example operations are copied into OUT_DIR, built there with
//! `npm ci` and `npm run build`, and each file of the result is compressed once, here. The source tree is only read.
//! Where they are not, one warning says so, the binary gets the small page of `src/http/explorer/` instead, and the
//! build succeeds. `CONTACTS_GATEWAY_EXPLORER=require` makes that an error, for release images, and `=off` skips Node.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const SWITCH: &str = "CONTACTS_GATEWAY_EXPLORER";
const FALLBACK: &str = "src/http/explorer";
const EXAMPLES: &str = "schema/examples";
const HOW: &str = "GraphiQL is not part of this build, a small query page takes its place";

fn main() -> Result<(), String> {
    let source = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let switch = env::var(SWITCH).unwrap_or_default();
    println!("cargo::rerun-if-env-changed={SWITCH}");
    watch(&source).map_err(|e| format!("explorer/: {e}"))?;

    let work = out.join("explorer-work");
    let built = match switch.as_str() {
        "off" => Err(format!("{SWITCH}=off")),
        "" | "on" | "require" => build(&source, &work),
        other => {
            return Err(format!("{SWITCH}={other}: expected on (the default), off or require"));
        }
    };
    match &built {
        Err(why) if switch == "require" => return Err(format!("{SWITCH}=require, but {why}")),
        Err(why) if switch == "off" => println!("cargo::warning={HOW}: {why}"),
        Err(why) => {
            println!("cargo::rerun-if-env-changed=PATH");
            println!(
                "cargo::warning={HOW}: {why}. To get it: install Node.js 20.19 or newer (or 22.12 or newer) with npm, \
                 see that npm reaches its registry, and build with {SWITCH}=require"
            );
        }
        Ok(_) => {}
    }

    let packed = out.join("explorer-packed");
    let write = || -> io::Result<()> {
        remove(&packed)?;
        fs::create_dir(&packed)?;
        let page = match &built {
            Ok(dist) => table(dist, &packed, "built", true)?,
            Err(_) => "&[]".to_owned(),
        };
        let fallback = table(&source.join(FALLBACK), &packed, "fallback", false)?;
        fs::write(
            out.join("explorer_assets.rs"),
            format!("static BUILT: &[Asset] = {page};\nstatic FALLBACK: &[Asset] = {fallback};\n"),
        )?;
        remove(&work) // a quarter of a gigabyte that nothing needs any more
    };
    write().map_err(|e| format!("packing the explorer: {e}"))
}

/// Tells cargo what the explorer is made of; `node_modules` and `dist` of someone who works on it are no part of it.
fn watch(source: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    for kind in ["html", "js", "css"] {
        println!("cargo::rerun-if-changed={FALLBACK}/fallback.{kind}");
    }
    let explorer = source.join("explorer");
    // Cargo runs the script every time when a watched path is missing, so only what is there is named.
    for file in if explorer.is_dir() { sources(&explorer)? } else { Vec::new() } {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    if let Some(there) = [EXAMPLES, "schema"].into_iter().find(|p| source.join(p).exists()) {
        println!("cargo::rerun-if-changed={there}");
    }
    Ok(())
}

fn sources(explorer: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(explorer)? {
        let entry = entry?;
        if !["node_modules", "dist"].iter().any(|skip| entry.file_name() == *skip) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Runs npm in a copy and gives back the folder of the finished page, or one sentence on why there is none.
fn build(source: &Path, work: &Path) -> Result<PathBuf, String> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    for tool in ["node", npm] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Err(format!("`{tool}` was not found on PATH"));
        }
    }
    let explorer = work.join("explorer");
    let copied = || -> io::Result<()> {
        remove(work)?;
        fs::create_dir_all(&explorer)?;
        for path in sources(&source.join("explorer"))? {
            copy(&path, &explorer.join(path.file_name().unwrap_or_default()))?;
        }
        let examples = source.join(EXAMPLES);
        if examples.is_dir() {
            fs::create_dir_all(work.join("schema"))?;
            copy(&examples, &work.join(EXAMPLES))?;
        }
        Ok(())
    };
    copied().map_err(|e| format!("explorer/ could not be copied: {e}"))?;

    let install = "ci --omit=dev --ignore-scripts --no-audit --no-fund --prefer-offline";
    for step in [install, "run build"] {
        let run = Command::new(npm).args(step.split(' ')).current_dir(&explorer).output();
        let run = run.map_err(|e| format!("`npm {step}` did not start: {e}"))?;
        if !run.status.success() {
            let said = String::from_utf8_lossy(&run.stderr);
            let told: Vec<_> = said.lines().filter(|l| l.to_lowercase().contains("error")).take(3).collect();
            return Err(format!("`npm {step}` failed ({}): {}", run.status, told.join("; ")));
        }
    }
    Ok(explorer.join("dist"))
}

/// Compresses every file below `dir` into `packed` and gives the Rust text of the table that embeds them.
fn table(dir: &Path, packed: &Path, name: &str, hashed: bool) -> io::Result<String> {
    let mut files = Vec::new();
    walk(dir, &mut files)?;
    files.retain(|file| file.extension().is_none_or(|e| e != "rs")); // tests live beside the small page
    files.sort();
    let mut rows = String::from("&[\n");
    for (n, file) in files.iter().enumerate() {
        let path = file.strip_prefix(dir).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let bytes = fs::read(file)?;
        let mut tag = DefaultHasher::new();
        bytes.hash(&mut tag);
        let tag = tag.finish();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&bytes)?;
        fs::write(packed.join(format!("{name}-{n}.gz")), gzip.finish()?)?;
        rows += &format!(
            "    Asset {{ path: {path:?}, kind: {kind:?}, hashed: {hashed}, \
             etags: [{plain:?}, {gzipped:?}], gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/explorer-packed/{name}-{n}.gz\")) }},\n",
            kind = kind(&path),
            plain = format!("\"{tag:016x}\""),
            gzipped = format!("\"{tag:016x}-gzip\""),
            hashed = hashed && path.contains('/'),
        );
    }
    Ok(rows + "]")
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Bytes only: a read-only source must not make a copy that can't be removed again.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::write(to, fs::read(from)?);
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn remove(dir: &Path) -> io::Result<()> {
    if dir.exists() { fs::remove_dir_all(dir) } else { Ok(()) }
}
