# SPDX-License-Identifier: Apache-2.0
"""Operations of keras.ops and of TensorFlow itself as models, TF1 graphs among them. As in tensorflow_layers.py nothing
is imported here: a case is a function of (r, tf, k) and gives a function over one float tensor of three dimensions, or,
where its name begins with tf1_, builds a graph into a folder.
"""

OPS = {}
TF1 = {}


def _op(name, make):
    OPS[name] = make


_op("sum", lambda r, tf, k: lambda x: k.ops.sum(x, axis=r.one([None, 1, (1, 2), -1]), keepdims=r.flag()))
_op("reductions", lambda r, tf, k: lambda x: r.one([k.ops.mean, k.ops.max, k.ops.min, k.ops.prod, k.ops.std, k.ops.var])(x, axis=r.one([1, -1])))
_op("any_all", lambda r, tf, k: lambda x: r.one([k.ops.any, k.ops.all])(x > 0, axis=-1))
_op("slice", lambda r, tf, k: lambda x: x[:, r.integer(0, 2) : r.one([None, -1, 5]), :: r.one([1, 2, -1])])
_op("index", lambda r, tf, k: lambda x: x[:, r.integer(-3, 2)])
_op("index_last", lambda r, tf, k: lambda x: x[..., r.integer(-2, 1), tf.newaxis])
_op("reversed_slice", lambda r, tf, k: lambda x: x[:, 4:0:-1, None, ::-1])
_op("where", lambda r, tf, k: lambda x: tf.where(x > r.number(-1, 1), x, r.one([0.0, 2.5])))
_op("logic", lambda r, tf, k: lambda x: tf.logical_or(tf.logical_and(x > 0, x < 1), tf.logical_not(x >= -1)))
_op("cumulative", lambda r, tf, k: lambda x: tf.cumsum(x, axis=r.one([1, -1]), exclusive=r.flag(), reverse=r.flag()))
_op("sort", lambda r, tf, k: lambda x: k.ops.sort(x, axis=r.one([1, -1])))
_op("argsort", lambda r, tf, k: lambda x: k.ops.argsort(x, axis=-1))
_op("arg", lambda r, tf, k: lambda x: r.one([tf.argmax, tf.argmin])(x, axis=r.one([1, -1]), output_type=r.one([tf.int32, tf.int64])))
_op("top_k", lambda r, tf, k: lambda x: tf.concat([tf.math.top_k(x, 2)[0], tf.cast(tf.math.top_k(x, 2)[1], tf.float32)], -1))
_op("one_hot", lambda r, tf, k: lambda x: tf.one_hot(tf.cast(x[:, :, 0] * 3, tf.int32), r.integer(2, 5), axis=r.one([-1, 1, 0])))
_op("transposed", lambda r, tf, k: lambda x: tf.transpose(x, r.one([[0, 2, 1], [2, 1, 0], [1, 0, 2]])))
_op("matmul", lambda r, tf, k: lambda x: tf.matmul(x, x, transpose_a=(t := r.flag()), transpose_b=not t))
_op("einsum", lambda r, tf, k: lambda x: tf.einsum(r.one(["bij,bkj->bik", "bij,bij->b", "...i,...i->...", "bij,bik->bjk"]), x, x))
_op("pad", lambda r, tf, k: lambda x: tf.pad(x, [[0, 0], [1, 2], [r.integer(0, 1), 1]], mode=r.one(["CONSTANT", "REFLECT", "SYMMETRIC"])))
_op("pad_value", lambda r, tf, k: lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=r.number(-2, 2)))
_op("roll", lambda r, tf, k: lambda x: tf.roll(x, r.integer(-4, 7), axis=r.one([1, 2])))
_op("reverse", lambda r, tf, k: lambda x: tf.reverse(x, axis=r.one([[1], [2], [1, 2]])))
_op("tile", lambda r, tf, k: lambda x: tf.tile(x, [1, r.integer(1, 3), 2]))
_op("stack", lambda r, tf, k: lambda x: tf.stack([x, x * 2], axis=r.integer(0, 3)))
_op("unstack", lambda r, tf, k: lambda x: tf.add_n(tf.unstack(x, axis=r.one([1, 2]))))
_op("split", lambda r, tf, k: lambda x: tf.split(x, r.one([2, [1, -1, 2]]), axis=1)[1])
_op("gather", lambda r, tf, k: lambda x: tf.gather(x, [[0, 2], [1, 1]], axis=r.one([1, 2])))
_op("gather_batch", lambda r, tf, k: lambda x: tf.gather(x, tf.argsort(x[:, :, 0]), axis=1, batch_dims=1))
_op("gather_nd", lambda r, tf, k: lambda x: tf.gather_nd(x, [[0, 1], [0, 2]]))
_op("take_along", lambda r, tf, k: lambda x: k.ops.take_along_axis(x, k.ops.argsort(x, axis=-1), axis=-1))
_op("scatter", lambda r, tf, k: lambda x: tf.tensor_scatter_nd_update(x, [[0, 1], [0, 2]], x[0, :2]))
_op("scatter_new", lambda r, tf, k: lambda x: tf.scatter_nd([[1], [3], [1]], x[0, :3], [6, 4]))
_op("band", lambda r, tf, k: lambda x: tf.linalg.band_part(x, r.integer(-1, 2), r.integer(-1, 2)))
_op("fill", lambda r, tf, k: lambda x: tf.fill([tf.shape(x)[0], 2], 1.5) + tf.cast(tf.size(x), tf.float32))
_op("range", lambda r, tf, k: lambda x: tf.range(tf.shape(x)[0]) * tf.rank(x))
_op("shape", lambda r, tf, k: lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], -1])))
_op("broadcast", lambda r, tf, k: lambda x: tf.broadcast_to(x[:, :1], tf.shape(x)) + x)
_op("rounding", lambda r, tf, k: lambda x: tf.floor(x) + tf.round(x * 2) + tf.sign(x) + tf.math.ceil(x) + tf.math.rint(x))
_op("division", lambda r, tf, k: lambda x: tf.math.floormod(x, 0.3) + tf.math.floordiv(x, 0.21) + tf.math.divide_no_nan(x, tf.nn.relu(x)))
_op("integers", lambda r, tf, k: lambda x: (lambda i: i // 3 + i % 3 + tf.truncatediv(i, 2) - tf.truncatemod(i, 5) + tf.maximum(i, 2) * tf.abs(i))(tf.cast(x * 10, r.one([tf.int32, tf.int64]))))
_op("narrow_integers", lambda r, tf, k: lambda x: (lambda i: i * 3 + tf.minimum(i, 7))(tf.cast(x * 5, r.one([tf.int8, tf.int16]))))
_op("powers", lambda r, tf, k: lambda x: tf.pow(tf.abs(x), r.one([2.0, 0.5])) + tf.math.rsqrt(tf.abs(x) + 1) + tf.square(x) + tf.math.reciprocal(x * x + 1))
_op("logarithms", lambda r, tf, k: lambda x: tf.math.log1p(tf.abs(x)) + tf.math.expm1(x) + tf.exp(-tf.abs(x)) + tf.math.xlogy(tf.nn.relu(x), tf.abs(x)))
_op("angles", lambda r, tf, k: lambda x: tf.sin(x) + tf.cos(x) + tf.atan(x) + tf.tanh(x) + tf.sinh(x) + tf.asinh(x) + tf.atan2(x, x[:, ::-1]))
_op("errors", lambda r, tf, k: lambda x: tf.math.erf(x) + tf.math.erfc(x) * 0.5)
_op("special", lambda r, tf, k: lambda x: tf.math.is_nan(tf.math.log(x)) | tf.math.is_inf(1 / tf.nn.relu(x)) | tf.math.is_finite(x))
_op("clipped", lambda r, tf, k: lambda x: tf.clip_by_value(x, -0.5, r.number(0, 1)))
_op("logsumexp", lambda r, tf, k: lambda x: tf.reduce_logsumexp(x, axis=r.one([1, -1])))
_op("norm", lambda r, tf, k: lambda x: k.ops.norm(x, axis=-1) + tf.reduce_max(tf.nn.l2_normalize(x, -1), -1))
_op("doubles", lambda r, tf, k: lambda x: tf.nn.elu(tf.cast(x, tf.float64)) + tf.math.erf(tf.cast(x, tf.float64)))
_op("bucketize", lambda r, tf, k: lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 0.5]))
_op("searchsorted", lambda r, tf, k: lambda x: tf.searchsorted(tf.sort(x[:, :, 0]), x[:, :2, 1], side=r.one(["left", "right"])))
_op("where_places", lambda r, tf, k: lambda x: tf.where(x > 0))
_op("boolean_mask", lambda r, tf, k: lambda x: tf.boolean_mask(x, x[:, :, 0] > 0))
_op("depth", lambda r, tf, k: lambda x: tf.nn.depth_to_space(tf.nn.space_to_depth(tf.reshape(x[:, :4, :4], [-1, 4, 4, 1]), 2)[..., ::-1], 2))
_op("space_to_batch", lambda r, tf, k: lambda x: tf.space_to_batch(x, [2], [[r.integer(0, 1) * 2, 0]]))
_op("conditional", lambda r, tf, k: lambda x: tf.cond(tf.reduce_sum(x) > r.number(-3, 3), lambda: x * 2, lambda: x[:, ::-1] - 1))
_op("loop", lambda r, tf, k: lambda x: tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * 0.5 + tf.cast(i, tf.float32)), [0, x])[1])
_op("loop_until", lambda r, tf, k: lambda x: tf.while_loop(lambda y: tf.reduce_max(tf.abs(y)) > 0.1, lambda y: (y * 0.5,), [x])[0])
_op("loop_that_grows", lambda r, tf, k: lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.concat([y, x[:, :1]], 1)), [0, x], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, None, 4])])[1])
_op("map", lambda r, tf, k: lambda x: tf.map_fn(lambda row: row * tf.reduce_sum(row), x))
_op("scan", lambda r, tf, k: lambda x: tf.scan(lambda a, row: a * 0.5 + row, tf.transpose(x, [1, 0, 2]), reverse=r.flag()))
_op("folded", lambda r, tf, k: lambda x: tf.foldl(lambda a, row: a + row * row, tf.transpose(x, [1, 0, 2])))
_op("nested_loop", lambda r, tf, k: lambda x: tf.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, tf.while_loop(lambda j, z: j < 3, lambda j, z: (j + 1, z + 1.0), [0, y])[1]), [0, x])[1])
_op("vectorised", lambda r, tf, k: lambda x: tf.vectorized_map(lambda row: row - tf.reduce_mean(row), x))
_op("image_resize", lambda r, tf, k: lambda x: tf.image.resize(x[..., None], [r.integer(3, 11), r.integer(3, 9)], method=r.one(["bilinear", "nearest", "bicubic"])))
_op("legacy_resize", lambda r, tf, k: lambda x: tf.compat.v1.image.resize_bilinear(x[..., None], [8, 7], align_corners=r.flag()))
_op("local_response", lambda r, tf, k: lambda x: tf.nn.lrn(x[..., None] * tf.ones([3]), depth_radius=1, bias=1.5, alpha=0.3, beta=0.6))
_op("fused_batch_norm", lambda r, tf, k: lambda x: tf.compat.v1.nn.fused_batch_norm(x[..., None], [1.5], [0.2], mean=[0.1], variance=[2.0], is_training=False)[0])
_op("explicit_padding", lambda r, tf, k: lambda x: tf.nn.conv2d(x[..., None], tf.ones([2, 3, 1, 2]), 1, [[0, 0], [1, 0], [2, 1], [0, 0]]))
_op("addition_of_strings", lambda r, tf, k: lambda x: tf.strings.as_string(tf.cast(x * 10, tf.int32)))


def _tf1(function):
    TF1[function.__name__] = function
    return function


def _save(session, place, inputs, outputs, **options):
    import tensorflow as tf

    """`place`: the folder, or the folder and the method of the signature."""
    folder, method = place if isinstance(place, tuple) else (place, "tensorflow/serving/predict")
    builder = tf.compat.v1.saved_model.Builder(str(folder))
    info = tf.compat.v1.saved_model.build_tensor_info
    signature = tf.compat.v1.saved_model.build_signature_def(
        {key: info(tensor) for key, tensor in inputs.items()}, {key: info(tensor) for key, tensor in outputs.items()}, method
    )
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, **options)
    builder.save()


@_tf1
def half_plus_two(r, tf, folder):
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None], name="x")
    use_resource = r.flag()
    a = v1.get_variable("a", initializer=0.5, use_resource=use_resource)
    b = v1.get_variable("b", initializer=2.0, use_resource=use_resource)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        _save(session, folder, {"x": x}, {"y": a * x + b})


@_tf1
def layers(r, tf, folder):
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 6, 6, 2], name="x")
    kernel = v1.get_variable("kernel", shape=[3, 3, 2, 4], use_resource=r.flag())
    y = tf.nn.relu6(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "SAME"))
    y = v1.nn.max_pool(y, [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
    y = tf.reshape(y, [-1, 16])
    weights = v1.get_variable("weights", shape=[16, 3])
    scores = tf.nn.softmax(v1.nn.xw_plus_b(y, weights, v1.get_variable("bias", shape=[3])))
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        _save(session, (folder, "tensorflow/serving/classify"), {"inputs": x}, {"scores": scores})


@_tf1
def partitioned_variable(r, tf, folder):
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 7], name="x")
    with v1.variable_scope("parts", partitioner=v1.fixed_size_partitioner(3)):
        weights = v1.get_variable("weights", shape=[7, 4], use_resource=r.flag())
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        _save(session, folder, {"x": x}, {"y": tf.matmul(x, tf.convert_to_tensor(weights))})


@_tf1
def frozen(r, tf, folder):
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    y = tf.matmul(x, v1.get_variable("w", shape=[4, 3]))
    y = v1.where(y > 0, y, tf.exp(y), name="y")
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        graph = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["y"])
    with tf.Graph().as_default() as plain, v1.Session(graph=plain) as session:
        tf.import_graph_def(graph, name="")
        _save(session, folder, {"x": plain.get_tensor_by_name("x:0")}, {"y": plain.get_tensor_by_name("y:0")})


@_tf1
def table_of_constants(r, tf, folder):
    v1 = tf.compat.v1
    words = v1.placeholder(tf.string, [None], name="words")
    values = r.one([tf.constant([3, 1, 4], tf.int64), tf.constant([1.5, 2.5, 3.5], tf.float32)])
    initialiser = tf.lookup.KeyValueTensorInitializer(tf.constant(["apple", "pear", "plum"]), values)
    found = tf.lookup.StaticHashTable(initialiser, -1).lookup(words)
    with v1.Session() as session:
        session.run(v1.tables_initializer())
        _save(session, folder, {"words": words}, {"y": found}, main_op=v1.tables_initializer())


@_tf1
def table_from_a_file(r, tf, folder):
    v1 = tf.compat.v1
    (folder.parent / "vocabulary.txt").write_text("apple\nplum\nfig\n")
    words = v1.placeholder(tf.string, [None], name="words")
    index = tf.lookup.TextFileInitializer
    initialiser = index(str(folder.parent / "vocabulary.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
    found = tf.lookup.StaticHashTable(initialiser, 7).lookup(words)
    with v1.Session() as session:
        session.run(v1.tables_initializer())
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        _save(session, folder, {"words": words}, {"y": found}, main_op=v1.tables_initializer(), assets_collection=assets)


@_tf1
def table_from_integers(r, tf, folder):
    v1 = tf.compat.v1
    ids = v1.placeholder(tf.int64, [None], name="ids_9")
    initialiser = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 5, 3], tf.int64), tf.constant(["a", "b", "c"]))
    found = tf.lookup.StaticHashTable(initialiser, "?").lookup(ids)
    with v1.Session() as session:
        session.run(v1.tables_initializer())
        _save(session, folder, {"ids_9": ids}, {"y": found}, main_op=v1.tables_initializer())


@_tf1
def conditions(r, tf, folder):
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    training = v1.placeholder_with_default(r.flag(), [], name="training")
    y = v1.cond(training, lambda: x * 2.0, lambda: x + 1.0)
    positive = tf.reduce_sum(x) > r.number(-1, 1)
    z = v1.cond(positive, lambda: x - 1.0, lambda: v1.cond(training, lambda: -x, lambda: x * x))
    with v1.Session() as session:
        _save(session, folder, {"x": x}, {"y": y, "z": z})
    v1.enable_control_flow_v2()


@_tf1
def dropout_of_training(r, tf, folder):
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    training = v1.placeholder_with_default(False, [], name="training")
    y = v1.cond(training, lambda: v1.nn.dropout(x, rate=0.5), lambda: tf.identity(x))
    with v1.Session() as session:
        _save(session, folder, {"x": x}, {"y": y * 2.0})
    v1.enable_control_flow_v2()
