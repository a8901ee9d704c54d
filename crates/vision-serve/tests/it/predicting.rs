//! Predictions, by each way in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vision_learner::Predictor;

use crate::client::{metric, post, predict};
use crate::model::{
    bomb, config, moody, numbers, photo, predictor, serve, several_classes, unresized, white,
};

/// The row that `vision predict --json --top TOP` prints.
fn row(predictor: &Predictor, name: &str, image: &[u8], top: usize) -> Value {
    let prediction = predictor.predict_bytes(image).unwrap();
    let format = predictor.row_format().with_top(top).unwrap();
    // By way of the text: a value would hold more digits than a number of 32 bits has.
    let text = serde_json::to_string(&format.row(name, &prediction)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
        );
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    [&body[..], b"--edge--\r\n"].concat()
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=edge\r\n";
const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";

#[test]
fn each_way_in_gives_the_row_of_vision_predict_with_the_same_bits() {
    let predictor = predictor();
    let server = serve(predictor.clone(), &config());
    let address = server.address();
    let image = photo(1);
    let expected = row(&predictor, "image", &image, 1);
    for kind in [
        "",
        "Content-Type: image/png\r\n",
        "Content-Type: application/octet-stream\r\n",
    ] {
        assert_eq!(
            post(address, "/predict", kind, &image).json(),
            expected,
            "{kind}"
        );
    }
    let text = STANDARD.encode(&image);
    let one = json!({ "image": text }).to_string();
    assert_eq!(
        post(address, "/predict", JSON, one.as_bytes()).json(),
        expected
    );

    let url = format!("data:image/png;base64,{text}");
    let list = json!({ "images": [text, url] }).to_string();
    let rows = [0, 1].map(|i| row(&predictor, &format!("images[{i}]"), &image, 1));
    let answer = post(address, "/predict", JSON, list.as_bytes());
    assert_eq!(answer.json(), json!({ "predictions": rows }));

    let other = photo(2);
    let body = form(&[("a.png", &image), ("../../b.png", &other)]);
    let rows = [
        row(&predictor, "a.png", &image, 3),
        row(&predictor, "../../b.png", &other, 3),
    ];
    let answer = post(address, "/predict?top=3", FORM, &body);
    assert_eq!(answer.json(), json!({ "predictions": rows }));
    // A list stays one, however short.
    let answer = post(address, "/predict", FORM, &form(&[("a.png", &image)]));
    assert_eq!(answer.json()["predictions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_bad_image_of_several_is_a_row_with_its_error() {
    let server = serve(predictor(), &config());
    let (image, bomb) = (photo(1), bomb());
    let body = form(&[
        ("a.png", &image),
        ("b.png", b"text"),
        ("c.png", &bomb),
        ("d.png", b""),
    ]);
    let answer = post(server.address(), "/predict", FORM, &body);
    assert_eq!(answer.status, 200);
    let rows = answer.json()["predictions"].clone();
    assert!(
        rows[0]["class"].is_string() && rows[0]["error"].is_null(),
        "{rows}"
    );
    for (place, said) in [(1, "begins with"), (2, "pixels"), (3, "empty")] {
        let error = rows[place]["error"].as_str().unwrap();
        assert!(
            error.contains(said) && rows[place]["class"].is_null(),
            "{rows}"
        );
    }
    let error = predict(server.address(), b"text").refused(422, "bad_image");
    assert!(
        error["expected"].as_str().unwrap().contains("JPEG"),
        "{error}"
    );
}

#[test]
fn options_of_a_request_are_checked() {
    let predictor = predictor();
    let server = serve(predictor.clone(), &config());
    let ask = |query: &str| {
        post(
            server.address(),
            &format!("/predict?{query}"),
            "",
            &photo(1),
        )
    };
    assert_eq!(ask("top=2").json(), row(&predictor, "image", &photo(1), 2));
    assert_eq!(
        ask("top=1000000").json()["top"].as_array().unwrap().len(),
        3
    );
    assert_eq!(ask("threshold=1").json()["class"], Value::Null);
    assert!(ask("threshold=0&heatmap=false").json()["heatmap"].is_null());
    for query in [
        "top=0",
        "top=-1",
        "top=x",
        "top=99999999999999999999",
        "threshold=2",
        "threshold=NaN",
        "threshold=",
        "heatmap=perhaps",
        "tpo=3",
        "%00=%ff",
    ] {
        let error = ask(query).refused(400, "bad_request");
        assert!(error["expected"].is_string(), "{query}: {error}");
    }
}

#[test]
fn a_heat_map_is_a_picture_of_what_the_model_sees() {
    let predictor = predictor();
    let server = serve(predictor.clone(), &config());
    let answer = post(
        server.address(),
        "/predict?heatmap=true&top=3",
        "",
        &photo(1),
    )
    .json();
    let map = &answer["heatmap"];
    assert_eq!(map["class"], answer["class"]);
    let data = map["image"]
        .as_str()
        .unwrap()
        .strip_prefix("data:image/png;base64,")
        .unwrap();
    let picture = image::load_from_memory(&STANDARD.decode(data).unwrap()).unwrap();
    // 32 pixels of the model, enlarged.
    assert_eq!((picture.width(), picture.height()), (224, 224));
    assert_eq!((&map["width"], &map["height"]), (&json!(224), &json!(224)));
    // The prediction is that without a map.
    let mut plain = answer.clone();
    plain.as_object_mut().unwrap().remove("heatmap");
    assert_eq!(plain, row(&predictor, "image", &photo(1), 3));
}

#[test]
fn a_model_without_heat_maps_predicts_and_says_why_there_is_none() {
    let predictor = moody();
    let server = serve(predictor.clone(), &config());
    let answer = post(server.address(), "/predict?heatmap=true", "", &photo(1)).json();
    assert_eq!(
        answer["class"],
        row(&predictor, "image", &photo(1), 1)["class"]
    );
    let error = answer["heatmap"]["error"].as_str().unwrap();
    assert!(error.contains("body and head"), "{error}");
}

#[test]
fn models_of_several_classes_and_of_numbers_answer_as_vision_predict() {
    for predictor in [several_classes(), numbers(), unresized()] {
        let server = serve(predictor.clone(), &config());
        let answer = post(server.address(), "/predict?top=2", "", &photo(3));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json(), row(&predictor, "image", &photo(3), 2));
    }
    let several = several_classes();
    assert!(row(&several, "image", &photo(3), 2)["classes"].is_array());
    let numbers = row(&numbers(), "image", &photo(3), 2);
    assert_eq!(numbers["numbers"].as_array().unwrap().len(), 2);
}

#[test]
fn an_image_has_the_same_bits_in_any_batch() {
    let predictor = predictor();
    let batched = config().with_max_batch(8).unwrap().with_threads(4).unwrap();
    for config in [config(), batched.clone()] {
        let server = serve(predictor.clone(), &config);
        std::thread::scope(|scope| {
            for number in 0..24 {
                let (predictor, address) = (&predictor, server.address());
                scope.spawn(move || {
                    for round in 0..4 {
                        let image = photo(number * 4 + round);
                        assert_eq!(
                            post(address, "/predict?top=3", "", &image).json(),
                            row(predictor, "image", &image, 3)
                        );
                    }
                });
            }
        });
        assert_eq!(metric(server.address(), "vision_images_total"), 96.0);
    }
    let server = serve(predictor.clone(), &batched);
    let map = post(server.address(), "/predict?heatmap=true", "", &photo(1)).json();
    assert!(map["heatmap"]["image"].is_string(), "{map}");
    assert_eq!(metric(server.address(), "vision_batch_images_count"), 1.0);
    predict(server.address(), b"text").refused(422, "bad_image");
}

#[test]
fn a_panic_is_the_answer_of_its_request_alone() {
    let batched = config().with_max_batch(8).unwrap();
    for config in [config(), batched] {
        let server = serve(moody(), &config);
        let address = server.address();
        std::thread::scope(|scope| {
            for number in 0..12 {
                scope.spawn(move || {
                    if number % 3 == 0 {
                        let error = predict(address, &white()).refused(500, "internal");
                        assert!(
                            error["message"].as_str().unwrap().contains("a white image"),
                            "{error}"
                        );
                    } else {
                        assert_eq!(predict(address, &photo(number)).status, 200);
                    }
                });
            }
        });
        assert!(metric(address, "vision_panics_total") >= 4.0);
        assert_eq!(predict(address, &photo(99)).status, 200);
    }
}
