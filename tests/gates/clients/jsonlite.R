# R's jsonlite and curl: JSON, where as.numeric reads all that an answer holds in place of a number, and binary tensors of
# writeBin. toJSON needs na = "null" (else it writes "-Inf") and digits = NA (else four digits), fromJSON simplifyVector =
# FALSE: else the numbers beside a text become texts of 15 digits.
library(curl)
library(jsonlite)

url <- commandArgs(TRUE)[1]
logits <- rbind(c(3, 1, -Inf, 2), c(-Inf, 0, 4, 5))
mask <- rbind(c(TRUE, TRUE, TRUE, FALSE), c(TRUE, FALSE, TRUE, TRUE))
filters <- list(top_k = 2, logprobs = 3, logprobs_of = "filtered", seed = 7)

log_softmax <- function(rows) rows - log(rowSums(exp(rows)))
masked <- log_softmax(ifelse(mask, logits, -Inf))
filtered <- log_softmax(rbind(c(3, 2, -Inf), c(5, 4, -Inf)))

post <- function(path, body, ...) {
  handle <- new_handle(post = TRUE, postfieldsize = length(body), postfields = body)
  handle_setheaders(handle, ...)
  answer <- curl_fetch_memory(paste0(url, path), handle)
  if (answer$status_code != 200) stop(rawToChar(answer$content))
  answer
}

json <- function(value) charToRaw(toJSON(value, auto_unbox = TRUE, digits = NA, na = "null"))

call_json <- function(name, ...) {
  answer <- post(paste0("/v1/", name), json(list(logits = logits, dtype = "float64", ...)),
                 "Content-Type" = "application/json")
  fromJSON(rawToChar(answer$content), simplifyVector = FALSE)
}

# A result as a matrix with a row for each of the call's.
numbers <- function(rows) do.call(rbind, lapply(rows, function(row) as.numeric(unlist(row))))

# The outputs by name, each a matrix, of matrices of doubles or booleans.
infer_binary <- function(model, inputs, parameters) {
  bytes <- lapply(inputs, function(x) if (is.logical(x)) as.raw(t(x)) else writeBin(as.vector(t(x)), raw(), endian = "little"))
  tensors <- lapply(names(inputs), function(name) list(
    name = name, shape = dim(inputs[[name]]), datatype = if (is.logical(inputs[[name]])) "BOOL" else "FP64",
    parameters = list(binary_data_size = length(bytes[[name]]))))
  head <- json(list(inputs = tensors, parameters = c(parameters, binary_data_output = TRUE)))
  answer <- post(paste0("/v2/models/", model, "/infer"), c(head, unlist(bytes, use.names = FALSE)),
                 "Content-Type" = "application/octet-stream", "Inference-Header-Content-Length" = as.character(length(head)))
  at <- as.integer(parse_headers_list(answer$headers)[["inference-header-content-length"]])
  outputs <- fromJSON(rawToChar(answer$content[seq_len(at)]), simplifyDataFrame = FALSE)$outputs
  results <- list()
  for (output in outputs) {
    size <- output$parameters$binary_data_size
    part <- answer$content[at + seq_len(size)]
    at <- at + size
    values <- readBin(part, if (output$datatype == "FP64") "double" else "integer", prod(output$shape), endian = "little")
    results[[output$name]] <- matrix(values, nrow = output$shape[1], byrow = TRUE)
  }
  results
}

close_to <- function(x, y) x == y | abs(x - y) < 1e-14
assert_close <- function(values, expected) stopifnot(identical(dim(values), dim(expected)), close_to(values, expected))
# The log-probabilities of one draw a row are among the filtered ones.
assert_drawn <- function(values) stopifnot(rowSums(close_to(as.vector(values), filtered), na.rm = TRUE) == 1)

checks <- list(
  minus_infinity_in_json = function() {
    assert_close(numbers(call_json("log_softmax", mask = mask)$log_probabilities), masked)
    draws <- do.call(call_json, c("categorical", filters, list("return" = list("log_probabilities"))))
    assert_close(numbers(draws$top_log_probabilities), filtered)
    assert_drawn(numbers(draws$log_probabilities))
  },
  minus_infinity_in_binary_tensors = function() {
    assert_close(infer_binary("log_softmax", list(logits = logits, mask = mask), list())$log_probabilities, masked)
    parameters <- c(filters, "return" = '["log_probabilities"]')
    draws <- infer_binary("categorical", list(logits = logits), parameters)
    assert_close(draws$top_log_probabilities, filtered)
    assert_drawn(draws$log_probabilities)
  }
)

for (name in names(checks))
  tryCatch({
    checks[[name]]()
    cat("ok", name, "\n")
  }, error = function(e) {
    message(conditionMessage(e))
    cat("not ok", name, substr(conditionMessage(e), 1, 200), "\n")
  })
