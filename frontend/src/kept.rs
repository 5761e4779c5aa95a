//! What this browser keeps from one visit to the next: texts by name, in `IndexedDB`.

use js_sys::{Array, Function, Promise};
use leptos::prelude::*;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbOpenDbRequest, IdbRequest, IdbTransaction, IdbTransactionMode};

const DATABASE: &str = "vinzy";
const STORE: &str = "kept";

/// What was kept under each of some names.
///
/// # Errors
/// The browser does not let pages keep anything.
pub async fn get(names: &[&str]) -> Result<Vec<Option<String>>, JsValue> {
    let store = begin(IdbTransactionMode::Readonly).await?.object_store(STORE)?;
    let mut found = vec![];
    for name in names {
        found.push(done(&store.get(&(*name).into())?).await?.as_string());
    }
    Ok(found)
}

/// Keeps texts, all or none; `None` takes away what was kept.
///
/// # Errors
/// The browser does not let pages keep anything, or not so much.
pub async fn put(texts: &[(&str, Option<&str>)]) -> Result<(), JsValue> {
    let transaction = begin(IdbTransactionMode::Readwrite).await?;
    let store = transaction.object_store(STORE)?;
    for (name, text) in texts {
        match text {
            Some(text) => store.put_with_key(&(*text).into(), &(*name).into())?,
            None => store.delete(&(*name).into())?,
        };
    }
    committed(&transaction).await
}

async fn begin(mode: IdbTransactionMode) -> Result<IdbTransaction, JsValue> {
    let database = open().await?;
    database.transaction_with_str_sequence_and_mode(&Array::of1(&STORE.into()), mode)
}

/// Waits until all of it is kept: where there is no room, that shows only here.
async fn committed(transaction: &IdbTransaction) -> Result<(), JsValue> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
        transaction.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await.map(|_| ())
}

async fn open() -> Result<IdbDatabase, JsValue> {
    let factory = window().indexed_db()?.ok_or(JsValue::UNDEFINED)?;
    let request = factory.open_with_u32(DATABASE, 1)?;
    let opening: IdbOpenDbRequest = request.clone();
    let upgrade = Closure::once_into_js(move || {
        let made = opening
            .result()
            .ok()
            .and_then(|made| made.dyn_into::<IdbDatabase>().ok());
        // It is made once: then there is none of this name.
        made.map(|made| made.create_object_store(STORE).is_ok());
    });
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    done(&request).await?.dyn_into()
}

/// What a request brings.
async fn done(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}
