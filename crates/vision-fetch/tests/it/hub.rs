//! Files of the hub arrive whole in the cache of its own tools, from a server that behaves like the hub or worse.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs, thread};

use support::hub::{COMMIT, FakeHub, git_blob, sha256};
use support::{nobody, noise, quick, reply, tree};
use vision_fetch::hub::{Hub, HubError, HubFile, cached_repositories};
use vision_fetch::{Error, Options, Origin, Result};

use crate::support;

const NAME: &str = "timm/resnet18.a1_in1k";
const CONFIG: &[u8] = br#"{"architecture": "resnet18"}"#;
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

fn weights() -> Vec<u8> {
    noise(200_000)
}

fn server() -> FakeHub {
    let weights = weights();
    FakeHub::start([
        (NAME, "config.json", CONFIG),
        (NAME, "model.safetensors", &weights),
    ])
}

fn hub(server: &FakeHub, cache: &Path) -> Hub {
    Hub::new(NAME).with_endpoint(server.url()).with_cache(cache)
}

fn file(hub: &Hub, name: &str) -> Result<HubFile> {
    hub.file_with(name, &quick())
}

#[track_caller]
fn hub_error(result: Result<HubFile>) -> (HubError, String) {
    let error = result.unwrap_err();
    let message = error.to_string();
    match error {
        Error::Hub(error) => (*error, message),
        other => panic!("{other:?}"),
    }
}

/// Files and links of the cache, without its folders and locks.
fn files(cache: &Path) -> Vec<String> {
    let mut found = tree(cache);
    found.retain(|name| !cache.join(name).is_dir());
    found
}

#[test]
fn files_are_laid_out_as_the_tools_of_the_hub_do_and_downloaded_once() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let config = file(&hub, "config.json").unwrap();
    let large = file(&hub, "model.safetensors").unwrap();
    assert_eq!(fs::read(&config.path).unwrap(), CONFIG);
    assert!(fs::read(&large.path).unwrap() == weights());
    assert_eq!(
        (config.origin, large.origin),
        (Origin::Network, Origin::Network)
    );
    assert_eq!((&*config.commit, &*large.commit), (COMMIT, COMMIT));

    let folder = "models--timm--resnet18.a1_in1k";
    let (small, big) = (git_blob(CONFIG), sha256(&weights()));
    let mut expected = vec![
        format!("{folder}/blobs/{small}"),
        format!("{folder}/blobs/{big}"),
        format!("{folder}/refs/main"),
        format!("{folder}/snapshots/{COMMIT}/config.json"),
        format!("{folder}/snapshots/{COMMIT}/model.safetensors"),
    ];
    expected.sort();
    assert_eq!(files(cache.path()), expected);
    let at = |name: &str| cache.path().join(folder).join(name);
    assert_eq!(fs::read_to_string(at("refs/main")).unwrap(), COMMIT);
    assert!(
        cache
            .path()
            .join(format!(".locks/{folder}/{big}.lock"))
            .is_file()
    );
    #[cfg(unix)]
    for (path, digits) in [(&config.path, &small), (&large.path, &big)] {
        let target = fs::read_link(path).unwrap();
        assert_eq!(target, Path::new("../../blobs").join(digits));
    }
    let asked = [
        "HEAD config.json",
        "GET config.json",
        "HEAD model.safetensors",
        "GET model.safetensors",
        "GET large",
    ];
    assert_eq!(server.asked(), asked);

    // A branch may have moved, so it is asked for again; a commit may not.
    assert_eq!(
        file(&hub, "model.safetensors").unwrap().origin,
        Origin::Cache
    );
    assert_eq!(server.asked().len(), asked.len() + 1);
    let pinned = hub.with_revision(COMMIT);
    assert_eq!(file(&pinned, "model.safetensors").unwrap().path, large.path);
    assert_eq!(server.asked().len(), asked.len() + 1);

    let known = cached_repositories(Some(cache.path())).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((&*known[0].name, &*known[0].commit), (NAME, COMMIT));
    assert_eq!(known[0].bytes, (CONFIG.len() + weights().len()) as u64);
}

#[test]
fn a_branch_that_moved_gets_its_new_files_and_keeps_the_old_ones() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let old = file(&hub, "config.json").unwrap();
    server.set(|state| {
        OTHER.clone_into(&mut state.commit);
        let key = (NAME.to_owned(), "config.json".to_owned());
        state.files.get_mut(&key).unwrap().bytes = b"{}".to_vec();
    });
    let new = file(&hub, "config.json").unwrap();
    assert_eq!(fs::read(&new.path).unwrap(), b"{}");
    assert_eq!(new.commit, OTHER);
    assert_eq!(fs::read(&old.path).unwrap(), CONFIG);
    let old_one = hub.clone().with_revision(COMMIT);
    assert_eq!(file(&old_one, "config.json").unwrap().path, old.path);
    // The same content in another commit is linked and not downloaded again.
    let gets = || {
        server
            .asked()
            .iter()
            .filter(|asked| asked.starts_with("GET"))
            .count()
    };
    file(&hub, "model.safetensors").unwrap();
    let before = gets();
    server.set(|state| COMMIT.clone_into(&mut state.commit));
    let again = file(&hub, "model.safetensors").unwrap();
    assert_eq!((again.origin, gets()), (Origin::Cache, before));
    assert!(again.path.to_str().unwrap().contains(COMMIT));
}

#[test]
fn without_a_hub_the_cache_serves_and_otherwise_the_error_names_it() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let online = hub(&server, cache.path());
    let found = file(&online, "config.json").unwrap();
    let away = online.clone().with_endpoint(nobody());
    assert_eq!(file(&away, "config.json").unwrap().path, found.path);
    let forbidden = quick().with_offline(true);
    assert_eq!(
        online.file_with("config.json", &forbidden).unwrap().path,
        found.path
    );
    let asked = server.asked().len();
    for (result, said) in [
        (file(&away, "model.safetensors"), "cannot be reached"),
        (
            online.file_with("model.safetensors", &forbidden),
            "with_offline(true)",
        ),
    ] {
        let (error, message) = hub_error(result);
        assert!(
            matches!(&error, HubError::NotCached { repository, file, .. }
            if repository == NAME && file == "model.safetensors"),
            "{error:?}"
        );
        let folder = cache.path().join("models--timm--resnet18.a1_in1k");
        assert!(
            message.contains(folder.to_str().unwrap()) && message.contains(said),
            "{message}"
        );
    }
    assert_eq!(server.asked().len(), asked);
    // The hub that cannot be asked, because of the settings of this machine, is away too.
    let unusable = quick().with_certificates("absent.pem");
    let found_again = online.file_with("config.json", &unusable).unwrap();
    assert_eq!(found_again.path, found.path);
    let error = online
        .file_with("model.safetensors", &unusable)
        .unwrap_err();
    assert!(matches!(error, Error::Certificates { .. }), "{error}");
    assert_eq!(server.asked().len(), asked);
    // A server that is not well is as good as none.
    server.set(|state| state.busy = 1);
    assert_eq!(file(&online, "config.json").unwrap().path, found.path);
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    server.set(|state| state.cut = Some(70_000));
    let found = file(&hub(&server, cache.path()), "model.safetensors").unwrap();
    assert!(fs::read(found.path).unwrap() == weights());
    let ranges: Vec<Option<usize>> = server
        .cdn
        .requests()
        .iter()
        .map(|request| request.range())
        .collect();
    assert_eq!(ranges, [None, Some(70_000)]);
    assert_eq!(files(cache.path()).len(), 3);

    // In another call, too.
    let cache = tempfile::tempdir().unwrap();
    let hub = hub(&server, cache.path());
    server.set(|state| state.cut = Some(50_000));
    let once = quick().with_retries(0);
    let error = hub.file_with("model.safetensors", &once).unwrap_err();
    assert!(
        matches!(error, Error::Interrupted { found: 50_000, .. }),
        "{error:?}"
    );
    assert!(
        !tree(cache.path())
            .iter()
            .any(|name| name.contains("snapshots"))
    );
    file(&hub, "model.safetensors").unwrap();
    assert_eq!(server.cdn.requests().last().unwrap().range(), Some(50_000));
}

#[test]
fn what_is_not_the_file_leaves_nothing_in_the_cache() {
    let server = server();
    let mut other = weights();
    other[100_000] ^= 1;
    for (name, sent) in [
        ("model.safetensors", other),
        ("model.safetensors", noise(100)),
        ("model.safetensors", noise(200_001)),
        ("config.json", br#"{"architecture": "resnet34"}"#.to_vec()),
        ("config.json", b"<html>".to_vec()),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let same_length = sent.len() == weights().len() || sent.len() == CONFIG.len();
        server.set(|state| state.sent = Some(sent));
        let error = hub(&server, cache.path())
            .file_with(name, &quick().with_retries(1))
            .unwrap_err();
        match &error {
            Error::HashMismatch {
                expected, found, ..
            } => {
                assert!(same_length && expected != found, "{name}: {error}");
                assert_eq!(expected.len(), if name == "config.json" { 40 } else { 64 });
            }
            Error::SizeMismatch { .. } | Error::Interrupted { .. } => {
                assert!(!same_length, "{name}: {error}")
            }
            other => panic!("{name}: {other:?}"),
        }
        let left = files(cache.path());
        let is_part = |name: &String| name.ends_with(".part") || name.ends_with(".from");
        assert!(left.iter().all(is_part), "{left:?}");
    }
}

#[test]
fn a_damaged_file_of_the_cache_is_not_used() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let found = file(&hub, "model.safetensors").unwrap();
    let mut bytes = weights();
    bytes[7] ^= 1;
    fs::write(&found.path, bytes).unwrap();
    for hub in [
        hub.clone(),
        hub.clone().with_revision(COMMIT),
        hub.with_endpoint(nobody()),
    ] {
        let error = file(&hub, "model.safetensors").unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::NotTheFile { .. }), "{message}");
        assert!(
            message.contains(&format!("blobs/{}", sha256(&weights()))),
            "{message}"
        );
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    let (error, message) = hub_error(file(&hub, "model.bin"));
    assert!(
        matches!(&error, HubError::NoFile { file, .. } if file == "model.bin"),
        "{message}"
    );
    let (error, message) = hub_error(file(&hub.clone().with_revision("v2"), "config.json"));
    assert!(
        matches!(&error, HubError::NoRevision { revision, .. } if revision == "v2"),
        "{message}"
    );
    let other = Hub::new("timm/resnet18")
        .with_endpoint(server.url())
        .with_cache(cache.path());
    let (error, message) = hub_error(file(&other, "config.json"));
    assert!(matches!(&error, HubError::NoRepository { .. }), "{message}");
    assert!(
        message.contains("timm/resnet18") && message.contains(&server.url()),
        "{message}"
    );
    let (error, _) = hub_error(file(
        &Hub::new("https://huggingface.co/timm/x"),
        "config.json",
    ));
    assert!(matches!(
        &error,
        HubError::BadName {
            what: "repository",
            ..
        }
    ));
    let (error, _) = hub_error(file(&hub.clone().with_revision("../../x"), "config.json"));
    assert!(matches!(
        &error,
        HubError::BadName {
            what: "revision",
            ..
        }
    ));
    let (error, _) = hub_error(file(&hub, "../config.json"));
    assert!(matches!(&error, HubError::BadName { what: "file", .. }));
    assert!(files(cache.path()).is_empty());
}

#[test]
fn a_repository_that_was_renamed_is_followed() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    server.set(|state| {
        state.renamed.insert("timm/old".to_owned(), NAME.to_owned());
        state
            .renamed
            .insert("timm/round".to_owned(), "timm/round".to_owned());
    });
    let of = |name: &str| {
        Hub::new(name)
            .with_endpoint(server.url())
            .with_cache(cache.path())
    };
    let found = file(&of("old"), "config.json").unwrap();
    assert_eq!(fs::read(found.path).unwrap(), CONFIG);
    let (error, message) = hub_error(file(&of("round"), "config.json"));
    assert!(
        matches!(error, HubError::Answer { .. }) && message.contains("too often"),
        "{message}"
    );
}

#[test]
fn a_limit_of_requests_is_waited_for_so_often_and_no_longer() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let hub = hub(&server, cache.path());
    for wait in [("Retry-After", "0"), ("RateLimit", "\"api\";r=0;t=0")] {
        server.set(|state| (state.busy, state.wait) = (2, Some(wait)));
        let before = server.asked().len();
        file(
            &hub.clone().with_cache(cache.path().join(wait.0)),
            "config.json",
        )
        .unwrap();
        assert_eq!(server.asked().len() - before, 4);
    }
    server.set(|state| (state.busy, state.wait) = (100, Some(("Retry-After", "0"))));
    let (error, message) = hub_error(hub.file_with("config.json", &quick().with_retries(2)));
    assert!(
        matches!(
            error,
            HubError::RateLimited {
                attempts: 3,
                seconds: Some(0),
                ..
            }
        ),
        "{message}"
    );
    // What nobody would wait for ends it at once.
    server.set(|state| state.wait = Some(("RateLimit", "\"resolvers\";r=0;t=86400")));
    let (error, message) = hub_error(file(&hub, "config.json"));
    assert!(
        matches!(
            error,
            HubError::RateLimited {
                attempts: 1,
                seconds: Some(86_400),
                ..
            }
        ),
        "{message}"
    );
    assert!(
        message.contains("86400 s") && message.contains("HF_TOKEN"),
        "{message}"
    );
}

#[test]
fn answers_that_are_not_the_hubs_write_nothing_anywhere() {
    let server = server();
    for (header, value) in [
        ("X-Repo-Commit", "../../../../outside"),
        ("X-Repo-Commit", "main"),
        ("X-Repo-Commit", ""),
        ("ETag", "\"../../../outside\""),
        ("ETag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("ETag", ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("a/b/cache");
        server.set(|state| state.headers = BTreeMap::from([(header, value.to_owned())]));
        let (error, message) = hub_error(file(&hub(&server, &cache), "config.json"));
        assert!(
            matches!(error, HubError::Answer { .. }),
            "{header} {value}: {message}"
        );
        assert!(files(folder.path()).is_empty(), "{header} {value}");
    }
    // Another commit than the one asked for.
    let cache = tempfile::tempdir().unwrap();
    server.set(|state| state.headers = BTreeMap::from([("X-Repo-Commit", OTHER.to_owned())]));
    let pinned = hub(&server, cache.path()).with_revision(COMMIT);
    assert!(matches!(
        hub_error(file(&pinned, "config.json")).0,
        HubError::Answer { .. }
    ));
    // A web server that is no hub.
    let web = support::Server::start(|_, _, stream| reply(stream, "200 OK", &[], b"<html>"));
    let other = Hub::new(NAME)
        .with_endpoint(web.url(""))
        .with_cache(cache.path());
    assert!(matches!(
        hub_error(file(&other, "config.json")).0,
        HubError::Answer { .. }
    ));
    assert!(files(cache.path()).is_empty());
}

#[test]
fn two_downloads_at_the_same_time_are_one_of_each_file() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| file(&hub(&server, cache.path()), "model.safetensors").unwrap());
        }
    });
    assert_eq!(server.cdn.requests().len(), 1);
    assert_eq!(files(cache.path()).len(), 3);
}

#[test]
fn a_cache_that_something_else_wrote_is_no_crash() {
    let (server, cache) = (server(), tempfile::tempdir().unwrap());
    let folder = cache.path().join("models--timm--resnet18.a1_in1k");
    fs::create_dir_all(folder.join("refs")).unwrap();
    fs::write(folder.join("refs/main"), "../../../..").unwrap();
    fs::write(cache.path().join("models--x"), "a file").unwrap();
    assert!(cached_repositories(Some(cache.path())).unwrap().is_empty());
    let away = hub(&server, cache.path()).with_endpoint(nobody());
    assert!(matches!(
        hub_error(file(&away, "config.json")).0,
        HubError::NotCached { .. }
    ));
    file(&hub(&server, cache.path()), "config.json").unwrap();
    assert_eq!(
        fs::read_to_string(folder.join("refs/main")).unwrap(),
        COMMIT
    );
}

/// Runs [`child`] in a process of its own, for the environment.
fn run_child(variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "hub::child", "--ignored", "--nocapture"]);
    for name in env::vars().map(|(name, _)| name) {
        if ["HF_", "HUGGING", "VISION_", "TRANSFORMERS_", "XDG_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            command.env_remove(name);
        }
    }
    command
        .env("NO_PROXY", "127.0.0.1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
#[ignore = "a part of the_environment_of_the_hubs_tools_is_honoured"]
fn child() {
    let options = Options::new().with_progress(false).with_retries(0);
    match Hub::new(NAME).file_with("model.safetensors", &options) {
        Ok(found) => println!("file: {}", found.path.display()),
        Err(error) => println!("refused: {error}"),
    }
}

#[test]
fn the_environment_of_the_hubs_tools_is_honoured() {
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let url = server.url();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let said = |variables: &[(&str, &str)]| {
        let output =
            run_child(&[&[("HF_ENDPOINT", &*url), ("HOME", &*at("user"))], variables].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("file: ") || line.starts_with("refused: "));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let repository = "models--timm--resnet18.a1_in1k";
    for (variables, cache) in [
        (vec![], at("user/.cache/huggingface/hub")),
        (
            vec![("XDG_CACHE_HOME", at("xdg"))],
            at("xdg/huggingface/hub"),
        ),
        (vec![("HF_HOME", at("home"))], at("home/hub")),
        (vec![("HF_HOME", "~/hf".to_owned())], at("user/hf/hub")),
        (
            vec![
                ("HF_HOME", at("home")),
                ("HUGGINGFACE_HUB_CACHE", at("legacy")),
            ],
            at("legacy"),
        ),
        (
            vec![
                ("HF_HUB_CACHE", at("cache")),
                ("HUGGINGFACE_HUB_CACHE", at("legacy")),
            ],
            at("cache"),
        ),
    ] {
        let variables: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let line = said(&variables);
        assert!(
            line.starts_with(&format!("file: {cache}/{repository}/snapshots/")),
            "{line}"
        );
    }

    // Offline, with and without the file.
    let asked = server.asked().len();
    let home = at("home");
    for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VISION_OFFLINE"] {
        let line = said(&[("HF_HOME", &home), (name, "1")]);
        assert!(line.starts_with("file: "), "{line}");
        let line = said(&[("HF_HOME", &at("empty")), (name, "1")]);
        assert!(
            line.contains(name) && line.contains(&format!("{}/hub/{repository}", at("empty"))),
            "{line}"
        );
    }
    assert_eq!(server.asked().len(), asked);
    assert!(said(&[("HF_HOME", &at("asked")), ("HF_HUB_OFFLINE", "0")]).starts_with("file: "));

    // Without links the content is in the snapshot, as a file.
    let line = said(&[("HF_HOME", &at("copies")), ("HF_HUB_DISABLE_SYMLINKS", "1")]);
    let path = line.strip_prefix("file: ").unwrap();
    assert!(fs::symlink_metadata(path).unwrap().is_file() && fs::read(path).unwrap() == weights());
    assert_eq!(
        fs::read_dir(at(&format!("copies/hub/{repository}/blobs")))
            .unwrap()
            .count(),
        0
    );

    // The token: none, a wrong one, and the right one from each place.
    server.set(|state| state.token = Some(("hf_right".to_owned(), "GatedRepo")));
    let fresh = |n: usize| at(&format!("fresh{n}"));
    let line = said(&[("HF_HOME", &fresh(0))]);
    assert!(
        line.contains("401") && line.contains("ask for access") && line.contains("HF_TOKEN"),
        "{line}"
    );
    let line = said(&[("HF_HOME", &fresh(0)), ("HF_TOKEN", "hf_wrong")]);
    assert!(
        line.contains("403") && line.contains("account that the token belongs to"),
        "{line}"
    );
    assert!(!line.contains("hf_wrong"), "{line}");
    let line = said(&[("HF_HOME", &fresh(0)), ("HF_TOKEN", "hf\u{e9}")]);
    assert!(
        line.contains("HF_TOKEN") && !line.contains('\u{e9}'),
        "{line}"
    );
    fs::create_dir_all(fresh(3)).unwrap();
    fs::write(at("fresh3/token"), "hf_right\n").unwrap();
    fs::write(at("token"), " hf_right ").unwrap();
    let token = at("token");
    let right: [(usize, &[(&str, &str)]); 4] = [
        (1, &[("HF_TOKEN", "hf_right")]),
        (2, &[("HF_TOKEN_PATH", &token)]),
        (3, &[]),
        (4, &[("HUGGING_FACE_HUB_TOKEN", "hf_right\n")]),
    ];
    for (n, variables) in right {
        let home = fresh(n);
        let line = said(&[&[("HF_HOME", &*home)], variables].concat());
        assert!(line.starts_with("file: "), "{line}");
    }
    let line = said(&[
        ("HF_HOME", &fresh(5)),
        ("HF_TOKEN", "hf_right"),
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
    ]);
    assert!(line.starts_with("refused: "), "{line}");
    // The other host saw requests, and no token.
    let large = server.cdn.requests();
    assert!(large.len() >= 4);
    assert!(
        large
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}
