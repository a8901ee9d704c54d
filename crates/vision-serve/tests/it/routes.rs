//! The routes that are read.

use serde_json::json;

use crate::client::{Connection, get, metric, post, predict};
use crate::model::{CLASSES, config, photo, predictor, serve};

#[test]
fn every_route_answers_in_its_form() {
    let server = serve(predictor(), &config());
    let address = server.address();
    assert_eq!(get(address, "/health").json(), json!({ "status": "ok" }));
    assert_eq!(get(address, "/ready").json(), json!({ "status": "ready" }));
    let card = get(address, "/model").json();
    assert_eq!(card["classes"], json!(CLASSES));
    assert_eq!(card["hash"].as_str().unwrap().len(), 64);
    assert_eq!(card["preprocessing"]["size"], predictor_size());
    assert_eq!(card["limits"]["images"], 32);
    assert_eq!(card["heatmap"], true);
    assert!(card["metrics"].is_array());
    let metrics = get(address, "/metrics");
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    for path in ["/health", "/ready", "/model", "/metrics", "/"] {
        let mut connection = Connection::new(address);
        let (whole, head) = (connection.ask("GET", path), connection.ask("HEAD", path));
        assert_eq!((whole.status, head.status), (200, 200), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
        assert_eq!(whole.header("cache-control"), Some("no-store"));
        assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    }
}

fn predictor_size() -> serde_json::Value {
    serde_json::to_value(predictor().preprocessing().size).unwrap()
}

#[test]
fn the_page_asks_nothing_of_others_and_runs_its_own_script_alone() {
    let server = serve(predictor(), &config());
    let page = get(server.address(), "/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        policy.contains("script-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        page.text().contains("<style>:root"),
        "the style is in the page"
    );
    for elsewhere in [
        "http:", "https:", "//cdn", "src=\"/", "href=\"/", "{style}", "{script}",
    ] {
        assert!(!page.text().contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn what_there_is_not_is_an_error_that_names_what_there_is() {
    let server = serve(predictor(), &config());
    let address = server.address();
    let error = get(address, "/preditc").refused(404, "not_found");
    assert!(
        error["expected"].as_str().unwrap().contains("/predict"),
        "{error}"
    );
    assert_eq!(error["found"], "/preditc");
    let answer = get(address, "/predict");
    answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
    let answer = post(address, "/model", "", b"");
    answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    let options = Connection::new(address).ask("OPTIONS", "/predict");
    assert_eq!(
        (options.status, options.header("allow")),
        (204, Some("POST, OPTIONS"))
    );
    assert_eq!(options.header("access-control-allow-origin"), None);
}

#[test]
fn metrics_count_what_happened() {
    let server = serve(predictor(), &config());
    let address = server.address();
    assert_eq!(predict(address, &photo(1)).status, 200);
    assert_eq!(predict(address, b"no image").status, 422);
    assert_eq!(metric(address, "vision_images_total"), 1.0);
    assert_eq!(metric(address, "vision_bad_images_total"), 1.0);
    assert_eq!(metric(address, "vision_request_seconds_count"), 2.0);
    assert_eq!(metric(address, "vision_ready"), 1.0);
    // Of this request itself.
    assert_eq!(metric(address, "vision_requests"), 1.0);
    let answer = get(address, "/metrics");
    let text = answer.text();
    assert!(
        text.contains("vision_requests_total{route=\"/predict\",status=\"422\"} 1\n"),
        "{text}"
    );
    let mut described = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            described.push(rest.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let name = name.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let known = |name: &str| described.contains(&name);
            assert!(known(name) || base.is_some_and(known), "{line}");
        }
    }
    // What lies in a range lies in the larger ones.
    let buckets: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("vision_request_seconds_bucket"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert!(
        buckets.is_sorted() && buckets.last() == Some(&2),
        "{buckets:?}"
    );
}
