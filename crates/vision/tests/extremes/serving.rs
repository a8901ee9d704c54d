//! Settings of the service.

use vision::data::ImageDataBunch;
use vision::learner::Predictor;
use vision_serve::{Result, ServeConfig, Server};

use crate::support::{Folder, data, learner_of};
use crate::table::{ANY, Table};
use crate::values::{DURATIONS, F64, U64, USIZE, texts};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let predictor = predictor(data(&folder.digits()));
    let start = |config: Result<ServeConfig>| -> Result<()> {
        let config = config?.with_listen("127.0.0.1:0".parse().unwrap());
        Server::start(predictor.clone(), &config).map(drop)
    };
    let new = ServeConfig::new;
    t.line("ServeConfig::with_threads", "threads", USIZE, |n| {
        start(new().with_threads(n))
    });
    t.line("ServeConfig::with_max_batch", "max_batch", USIZE, |n| {
        start(new().with_max_batch(n))
    });
    t.line("ServeConfig::with_max_body", "max_body", U64, |n| {
        start(new().with_max_body(n))
    });
    t.line("ServeConfig::with_max_pixels", "max_pixels", U64, |n| {
        start(new().with_max_pixels(n))
    });
    t.line("ServeConfig::with_max_images", "max_images", USIZE, |n| {
        start(new().with_max_images(n))
    });
    t.line(
        "ServeConfig::with_max_connections",
        "max_connections",
        USIZE,
        |n| start(new().with_max_connections(n)),
    );
    t.line("ServeConfig::with_max_queue", "max_queue", USIZE, |n| {
        start(new().with_max_queue(n))
    });
    t.line("ServeConfig::with_max_buffered", "max_buffered", U64, |n| {
        start(new().with_max_buffered(n))
    });
    t.line("ServeConfig::with_client_share", "client_share", F64, |x| {
        start(new().with_client_share(x))
    });
    t.line(
        "ServeConfig::with_max_wait",
        "max_wait",
        DURATIONS,
        |time| start(new().with_max_wait(time)),
    );
    t.line(
        "ServeConfig::with_read_timeout",
        "read_timeout",
        DURATIONS,
        |time| start(new().with_read_timeout(time)),
    );
    t.line("ServeConfig::with_timeout", "timeout", DURATIONS, |time| {
        start(new().with_timeout(time))
    });
    t.line("ServeConfig::with_drain", "drain", DURATIONS, |time| {
        start(new().with_drain(time))
    });
    t.line("ServeConfig::with_allowed_host", ANY, texts(), |text| {
        start(Ok(new().with_allowed_host(text)))
    });
    t.line("ServeConfig::with_allowed_origin", ANY, texts(), |text| {
        start(Ok(new().with_allowed_origin(text)))
    });
}

fn predictor(data: ImageDataBunch) -> Predictor {
    learner_of(data).build().unwrap().predictor()
}
