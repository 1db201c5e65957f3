# SPDX-License-Identifier: Apache-2.0
"""Keras models of every layer family with random options. Nothing is imported here: the names are for the tests, the
models are made by tensorflow_builder.py, which has Keras.

A case is a function of (r, k): r makes random choices, k is Keras. Inputs called `ids_N` take integers below N, `words`
take strings of a small vocabulary, all others floats.
"""

CASES = {}
WORDS = ["apple", "pear", "plum", "fig"]


def case(function):
    CASES[function.__name__] = function
    return function


def _sequence(k, shape, *layers, name="x", dtype="float32"):
    start = k.Input(shape, name=name, dtype=dtype)
    end = start
    for layer in layers:
        end = layer(end)
    return k.Model(start, end)


def _ids(k, length, *layers, count=9):
    return _sequence(k, (length,), *layers, name=f"ids_{count}", dtype="int32")


def _space(r, rank, low=5, high=9, channels=None):
    """Sizes of space, one of them perhaps free, and channels."""
    sizes = [r.integer(low, high) for _ in range(rank)]
    return (*sizes, channels or r.integer(1, 4))


ACTIVATIONS = [
    "relu", "relu6", "sigmoid", "tanh", "softmax", "softplus", "softsign", "selu", "elu", "gelu", "silu", "hard_sigmoid",
    "hard_silu", "exponential", "leaky_relu", "log_softmax", "mish", "linear", "celu", "glu", "squareplus", "tanh_shrink",
    "soft_shrink", "hard_shrink", "hard_tanh", "log_sigmoid", "sparse_plus", "sparsemax",
]  # fmt: skip


def _activation(name):
    def make(r, k):
        return _sequence(k, (r.integer(2, 9),), k.layers.Dense(2 * r.integer(1, 4), activation=name, use_bias=r.flag()))

    CASES[f"dense_{name}"] = make


for _name in ACTIVATIONS:
    _activation(_name)


@case
def activation_layers(r, k):
    layer = k.layers
    return _sequence(
        k,
        (r.integer(2, 5), 4),
        r.one([layer.PReLU(shared_axes=[1]), layer.PReLU()]),
        layer.LeakyReLU(negative_slope=r.number(0.05, 0.5)),
        layer.ELU(alpha=r.number(0.5, 1.5)),
        layer.ReLU(max_value=r.one([None, 3.0]), negative_slope=r.one([0.0, 0.1]), threshold=r.one([0.0, 0.2])),
        layer.Softmax(axis=r.one([-1, 1])),
    )


@case
def dense_of_higher_rank(r, k):
    return _sequence(k, (r.integer(2, 4), r.integer(2, 4), 3), k.layers.Dense(r.integer(1, 5)), k.layers.Dense(2))


def _convolution(rank):
    def make(r, k):
        dilation = r.one([1, 1, 2])
        strides = r.integer(1, 3) if dilation == 1 else 1
        groups = r.one([1, 1, 2])
        padding = r.one(["same", "valid", "causal"] if rank == 1 else ["same", "valid"])
        if padding == "causal":
            groups = 1
        channels = 2 * r.integer(1, 2)
        layer = getattr(k.layers, f"Conv{rank}D")
        options = {"dilation_rate": dilation} if rank < 3 else {}
        return _sequence(
            k,
            _space(r, rank, 6, 10, channels),
            layer(2 * r.integer(1, 3), r.integer(1, 3), strides=strides, padding=padding, groups=groups if rank < 3 else 1,
                  use_bias=r.flag(), activation=r.one(["relu", None]), **options),
        )  # fmt: skip

    CASES[f"convolution_{rank}d"] = make


for _rank in (1, 2, 3):
    _convolution(_rank)


@case
def convolution_of_free_size(r, k):
    return _sequence(
        k, (None, None, 3), k.layers.Conv2D(4, 3, strides=r.integer(1, 2), padding=r.one(["same", "valid"])),
        k.layers.GlobalAveragePooling2D(),
    )  # fmt: skip


@case
def dilated_convolution_of_free_length(r, k):
    padding = r.one(["same", "valid", "causal"])
    return _sequence(k, (None, 2), k.layers.Conv1D(3, 2, dilation_rate=r.integer(2, 3), padding=padding))


@case
def depthwise_convolution(r, k):
    dilation = r.one([1, 2])
    layer = k.layers.DepthwiseConv2D(
        r.integer(1, 3), strides=1 if dilation > 1 else r.integer(1, 2), padding=r.one(["same", "valid"]),
        depth_multiplier=r.integer(1, 3), dilation_rate=dilation,
    )  # fmt: skip
    return _sequence(k, _space(r, 2, 6, 9), layer)


@case
def depthwise_convolution_1d(r, k):
    layer = k.layers.DepthwiseConv1D(r.integer(1, 3), padding=r.one(["same", "valid"]), depth_multiplier=r.integer(1, 2))
    return _sequence(k, _space(r, 1, 6, 9), layer)


@case
def separable_convolution(r, k):
    rank = r.integer(1, 2)
    layer = getattr(k.layers, f"SeparableConv{rank}D")
    return _sequence(k, _space(r, rank, 6, 9), layer(r.integer(1, 5), r.integer(1, 3), padding=r.one(["same", "valid"])))


def _transposed(rank):
    def make(r, k):
        layer = getattr(k.layers, f"Conv{rank}DTranspose")
        strides = r.integer(1, 3)
        options = {"output_padding": r.integer(0, strides - 1)} if strides > 1 and r.flag() else {}
        shape = [None] * rank + [2] if rank == 2 and r.flag() else _space(r, rank, 3, 5)
        return _sequence(
            k, tuple(shape), layer(r.integer(1, 3), r.integer(strides, 4), strides=strides, padding=r.one(["same", "valid"]), **options)
        )

    CASES[f"transposed_convolution_{rank}d"] = make


for _rank in (1, 2, 3):
    _transposed(_rank)


def _pooling(rank):
    def make(r, k):
        kind = r.one(["Max", "Average"])
        layer = getattr(k.layers, f"{kind}Pooling{rank}D")
        return _sequence(
            k, _space(r, rank, 5, 8), layer(r.integer(1, 3), strides=r.one([None, 1, 2]), padding=r.one(["same", "valid"]))
        )

    def make_global(r, k):
        layer = getattr(k.layers, f"Global{r.one(['Max', 'Average'])}Pooling{rank}D")
        return _sequence(k, _space(r, rank), layer(keepdims=r.flag()))

    CASES[f"pooling_{rank}d"] = make
    CASES[f"global_pooling_{rank}d"] = make_global


for _rank in (1, 2, 3):
    _pooling(_rank)


def _trained(r, model):
    """Weights that initialisers leave at zero or one get values."""
    for weight in model.weights:
        if "seed" not in weight.path:
            values = r.numbers(weight.shape)
            weight.assign(abs(values) + 0.5 if "variance" in weight.path else values)
    return model


@case
def batch_normalisation(r, k):
    rank = r.integer(1, 4)
    layer = k.layers.BatchNormalization(
        axis=r.integer(1, rank), scale=r.flag(), center=r.flag(), epsilon=r.one([1e-3, 1e-2])
    )
    return _trained(r, _sequence(k, tuple(r.integer(2, 4) for _ in range(rank)), layer))


@case
def convolution_with_batch_normalisation(r, k):
    return _trained(
        r,
        _sequence(k, (6, 7, 3), k.layers.Conv2D(4, 3, use_bias=False), k.layers.BatchNormalization(), k.layers.ReLU(),
                  k.layers.MaxPooling2D(), k.layers.Flatten(), k.layers.Dense(3)),
    )  # fmt: skip


@case
def layer_normalisation(r, k):
    layer = k.layers.LayerNormalization(axis=r.one([-1, [1, 2], 2]), center=r.flag(), scale=r.flag())
    return _trained(r, _sequence(k, (3, 4, 5), layer))


@case
def other_normalisations(r, k):
    layer = r.one(
        [k.layers.GroupNormalization(groups=r.one([1, 2, 4])), k.layers.UnitNormalization(axis=r.one([-1, 1])),
         k.layers.RMSNormalization(), k.layers.SpectralNormalization(k.layers.Dense(3))]
    )  # fmt: skip
    return _sequence(k, (3, 4), layer)


@case
def dropout_and_noise(r, k):
    layer = k.layers
    return _sequence(k, (6, 4), layer.Dropout(0.5), layer.GaussianNoise(0.1), layer.GaussianDropout(0.2),
                     layer.AlphaDropout(0.2), layer.SpatialDropout1D(0.3), layer.ActivityRegularization(0.1))  # fmt: skip


@case
def reshaping(r, k):
    layer = k.layers
    return _sequence(k, (6, 4), layer.Reshape(r.one([(4, -1), (-1, 2, 3), (24,)])), layer.Flatten(),
                     layer.RepeatVector(r.integer(1, 4)), layer.Permute((2, 1)))  # fmt: skip


@case
def resizing_of_sequences(r, k):
    layer = k.layers
    return _sequence(k, (r.one([None, 7]), 3), layer.UpSampling1D(r.integer(1, 3)), layer.Cropping1D((r.integer(0, 2), 1)),
                     layer.ZeroPadding1D((r.integer(0, 2), r.integer(0, 2))))  # fmt: skip


@case
def resizing_of_space(r, k):
    rank = r.integer(2, 3)
    layer = k.layers
    options = {"interpolation": r.one(["nearest", "bilinear", "bicubic"])} if rank == 2 else {}
    pairs = tuple((r.integer(0, 1), r.integer(0, 2)) for _ in range(rank))
    return _sequence(k, _space(r, rank, 4, 6), getattr(layer, f"UpSampling{rank}D")(2, **options),
                     getattr(layer, f"Cropping{rank}D")(pairs), getattr(layer, f"ZeroPadding{rank}D")(pairs))  # fmt: skip


@case
def image_preprocessing(r, k):
    layer = k.layers
    resize = layer.Resizing(r.integer(3, 12), r.integer(3, 12), interpolation=r.one(["nearest", "bilinear", "bicubic"]))
    crop = layer.CenterCrop(3, 2)
    return _sequence(k, (r.integer(5, 8), r.integer(5, 8), 3), layer.Rescaling(1 / 255.0, offset=-0.5), r.one([resize, crop]))


@case
def merging(r, k):
    shape = (r.integer(2, 4), r.integer(2, 4))
    inputs = [k.Input(shape, name=name) for name in "ab"]
    layer = r.one(
        [k.layers.Add(), k.layers.Subtract(), k.layers.Multiply(), k.layers.Average(), k.layers.Maximum(), k.layers.Minimum(),
         k.layers.Concatenate(axis=r.one([1, 2, -1])), k.layers.Dot(axes=r.one([1, 2]), normalize=r.flag())]
    )  # fmt: skip
    return k.Model(inputs, layer(inputs))


@case
def several_outputs(r, k):
    x = k.Input((5,), name="x")
    y = k.layers.Dense(4, activation="relu")(x)
    return k.Model(x, {"first": k.layers.Dense(2)(y), "second": k.layers.Softmax()(y), "unchanged": x})


def _rnn(r, k, **options):
    name = r.one(["LSTM", "GRU", "SimpleRNN"])
    extra = {"reset_after": r.flag()} if name == "GRU" else {}
    return getattr(k.layers, name)(r.integer(1, 5), activation=r.one(["tanh", "relu"]), **extra, **options)


@case
def recurrent(r, k):
    return _sequence(k, (r.one([None, 6]), 3), _rnn(r, k, return_sequences=r.flag(), go_backwards=r.flag()))


@case
def recurrent_unrolled(r, k):
    return _sequence(k, (r.integer(2, 4), 3), _rnn(r, k, return_sequences=r.flag(), unroll=True))


@case
def recurrent_stacked(r, k):
    return _sequence(k, (None, 2), _rnn(r, k, return_sequences=True), _rnn(r, k), k.layers.Dense(2))


@case
def recurrent_with_state(r, k):
    x = k.Input((5, 3), name="x")
    return k.Model(x, k.layers.LSTM(3, return_state=True, return_sequences=r.flag())(x))


@case
def recurrent_over_masks(r, k):
    options = {"return_sequences": r.flag(), "go_backwards": r.flag()}
    return _ids(k, r.one([None, 6]), k.layers.Embedding(9, 4, mask_zero=True), _rnn(r, k, **options))


@case
def bidirectional(r, k):
    merge = r.one(["concat", "sum", "ave", "mul"])
    rnn = k.layers.Bidirectional(_rnn(r, k, return_sequences=r.flag()), merge_mode=merge)
    if r.flag():
        return _ids(k, 6, k.layers.Embedding(9, 3, mask_zero=True), rnn)
    return _sequence(k, (5, 3), rnn)


@case
def recurrent_cells(r, k):
    cells = [r.one([k.layers.LSTMCell(3), k.layers.GRUCell(2), k.layers.SimpleRNNCell(2)]) for _ in range(r.integer(1, 3))]
    return _sequence(k, (4, 3), k.layers.RNN(cells, return_sequences=r.flag()))


@case
def recurrent_convolution(r, k):
    layer = r.one([k.layers.ConvLSTM2D(2, 3, padding=r.one(["same", "valid"]), return_sequences=r.flag())])
    return _sequence(k, (3, 5, 5, 2), layer)


@case
def distributed_over_time(r, k):
    return _sequence(k, (4, 5, 3), k.layers.TimeDistributed(r.one([k.layers.Dense(2), k.layers.Conv1D(2, 3)])))


@case
def masking(r, k):
    return _sequence(k, (5, 3), k.layers.Masking(0.0), r.one([k.layers.GlobalAveragePooling1D(), _rnn(r, k)]))


@case
def embedding(r, k):
    tail = r.one([k.layers.Flatten(), k.layers.GlobalAveragePooling1D(), k.layers.Conv1D(3, 2)])
    return _ids(k, 6, k.layers.Embedding(9, r.integer(1, 5), mask_zero=not isinstance(tail, k.layers.Flatten)), tail)


@case
def attention_between_heads(r, k):
    q = k.Input((r.one([None, 4]), 6), name="q")
    v = k.Input((5, 6), name="v")
    layer = k.layers.MultiHeadAttention(r.integer(1, 3), r.integer(2, 4), value_dim=r.one([None, 3]), use_bias=r.flag())
    if r.flag():
        return k.Model([q, v], layer(q, v))
    return k.Model(q, layer(q, q, use_causal_mask=r.flag()))


@case
def attention_over_masks(r, k):
    ids = k.Input((6,), dtype="int32", name="ids_9")
    x = k.layers.Embedding(9, 6, mask_zero=True)(ids)
    return k.Model(ids, k.layers.MultiHeadAttention(2, 3)(x, x))


@case
def other_attention(r, k):
    q = k.Input((4, 6), name="q")
    v = k.Input((5, 6), name="v")
    layer = r.one([k.layers.Attention(use_scale=r.flag(), score_mode=r.one(["dot", "concat"])),
                   k.layers.AdditiveAttention(use_scale=r.flag())])  # fmt: skip
    return k.Model([q, v], layer([q, v]) if r.flag() else k.layers.GroupQueryAttention(4, 4, 2)(q, v))


@case
def transformer_block(r, k):
    ids = k.Input((None,), dtype="int32", name="ids_9")
    x = k.layers.Embedding(9, 8)(ids)
    y = k.layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    y = k.layers.Dense(8)(k.layers.Dense(16, activation="gelu")(x))
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    return k.Model(ids, k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling1D()(x)))


@case
def einsum_dense(r, k):
    equation, shape, bias = r.one([("abc,cd->abd", (None, 4), "d"), ("...x,xy->...y", (4,), "y"), ("abc,cde->abde", (None, 2, 3), "de")])
    return _sequence(k, (3, 5), k.layers.EinsumDense(equation, output_shape=shape, bias_axes=r.one([None, bias])))


@case
def string_lookup(r, k):
    mode = r.one(["int", "one_hot", "multi_hot", "count"])
    layer = k.layers.StringLookup(vocabulary=WORDS[: r.integer(1, 3)], output_mode=mode, mask_token=r.one([None, ""]) if mode == "int" else None)
    return _sequence(k, (1,) if mode == "one_hot" else (r.integer(1, 4),), layer, name="words", dtype="string")


@case
def string_lookup_inverted(r, k):
    return _sequence(k, (3,), k.layers.StringLookup(vocabulary=WORDS, invert=True), name="ids_5", dtype="int64")


@case
def integer_lookup(r, k):
    options = {"num_oov_indices": r.integer(1, 3), "mask_token": r.one([None, 0])}
    return _sequence(k, (3,), k.layers.IntegerLookup(vocabulary=[5, 7, 1], **options), name="ids_9", dtype="int64")


@case
def words_to_classes(r, k):
    words = k.Input((4,), dtype="string", name="words")
    x = k.layers.StringLookup(vocabulary=WORDS)(words)
    x = k.layers.LSTM(3)(k.layers.Embedding(6, 4)(x))
    return k.Model(words, k.layers.Dense(2, activation="softmax")(x))


@case
def feature_preprocessing(r, k):
    layer = k.layers
    bins = layer.Discretization(bin_boundaries=[-0.5, 0.0, 0.7], output_mode=r.one(["int", "one_hot"]))
    normal = layer.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0], invert=r.flag())
    if r.flag():
        return _sequence(k, (1,), bins)
    return _sequence(k, (3,), normal)


@case
def category_encoding(r, k):
    mode = r.one(["one_hot", "multi_hot", "count"])
    shape = (1,) if mode == "one_hot" else (4,)
    return _sequence(k, shape, k.layers.CategoryEncoding(9, output_mode=mode), name="ids_9", dtype="int32")


@case
def nested_models(r, k):
    inner = _sequence(k, (4,), k.layers.Dense(3, activation="relu"))
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Concatenate()([inner(x), inner(x * 2.0)]))
