// The parts of clients/storms in grpc-java, as a client and as a service:
//     Storms serve PORT | Storms run BYTES CALLS HOST:PORT
import com.google.api.HttpBody;
import com.google.protobuf.ByteString;
import com.google.protobuf.Int64Value;
import com.google.protobuf.MessageLite;
import io.grpc.*;
import io.grpc.protobuf.lite.ProtoLiteUtils;
import io.grpc.stub.*;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;

class Storms {
    static final int PIECE = 64 << 10, WORKERS = 100, DEADLINE = 30;
    static final MethodDescriptor<Int64Value, HttpBody> GET =
        method("Get", MethodDescriptor.MethodType.SERVER_STREAMING, Int64Value.getDefaultInstance(), HttpBody.getDefaultInstance());
    static final MethodDescriptor<HttpBody, Int64Value> PUT =
        method("Put", MethodDescriptor.MethodType.CLIENT_STREAMING, HttpBody.getDefaultInstance(), Int64Value.getDefaultInstance());
    static final MethodDescriptor<Int64Value, Int64Value> WAIT =
        method("Wait", MethodDescriptor.MethodType.UNARY, Int64Value.getDefaultInstance(), Int64Value.getDefaultInstance());
    static final MethodDescriptor<Int64Value, Int64Value> REFUSE =
        method("Refuse", MethodDescriptor.MethodType.BIDI_STREAMING, Int64Value.getDefaultInstance(), Int64Value.getDefaultInstance());

    static <A extends MessageLite, B extends MessageLite> MethodDescriptor<A, B> method(
            String name, MethodDescriptor.MethodType type, A request, B answer) {
        return MethodDescriptor.<A, B>newBuilder(ProtoLiteUtils.marshaller(request), ProtoLiteUtils.marshaller(answer))
            .setType(type).setFullMethodName("storms.v1.Files/" + name).build();
    }

    static HttpBody piece(long left) {
        return HttpBody.newBuilder().setData(ByteString.copyFrom(new byte[(int) Math.min(left, PIECE)])).build();
    }

    // ---- The service

    static void sendAll(long bytes, CallStreamObserver<HttpBody> out) {
        long[] left = {bytes};
        boolean[] ended = {false};
        out.setOnReadyHandler(() -> {
            for (; out.isReady() && left[0] > 0; left[0] -= PIECE)
                out.onNext(piece(left[0]));
            if (left[0] <= 0 && !ended[0]) {
                ended[0] = true;
                out.onCompleted();
            }
        });
    }

    static StreamObserver<HttpBody> count(StreamObserver<Int64Value> out) {
        long[] got = {0};
        return new StreamObserver<>() {
            public void onNext(HttpBody body) { got[0] += body.getData().size(); }
            public void onError(Throwable why) {}
            public void onCompleted() {
                out.onNext(Int64Value.of(got[0]));
                out.onCompleted();
            }
        };
    }

    static void serve(int port) throws Exception {
        var service = ServerServiceDefinition.builder("storms.v1.Files")
            .addMethod(GET, ServerCalls.asyncServerStreamingCall((size, out) ->
                sendAll(size.getValue(), (ServerCallStreamObserver<HttpBody>) out)))
            .addMethod(PUT, ServerCalls.asyncClientStreamingCall(Storms::count))
            .addMethod(WAIT, ServerCalls.asyncUnaryCall((size, out) -> {}))
            .addMethod(REFUSE, ServerCalls.asyncBidiStreamingCall(out -> {
                out.onError(Status.RESOURCE_EXHAUSTED.asException());
                return new StreamObserver<>() {
                    public void onNext(Int64Value size) {}
                    public void onError(Throwable why) {}
                    public void onCompleted() {}
                };
            }))
            .build();
        ServerBuilder.forPort(port).addService(service).build().start().awaitTermination();
    }

    // ---- The client

    static long get(Channel channel, long bytes) {
        long got = 0;
        Iterator<HttpBody> bodies =
            ClientCalls.blockingServerStreamingCall(channel, GET, CallOptions.DEFAULT, Int64Value.of(bytes));
        while (bodies.hasNext())
            got += bodies.next().getData().size();
        return got;
    }

    static long put(Channel channel, long bytes) throws Exception {
        var answer = new CompletableFuture<Long>();
        ClientCalls.asyncClientStreamingCall(channel.newCall(PUT, CallOptions.DEFAULT),
            new ClientResponseObserver<HttpBody, Int64Value>() {
                public void beforeStart(ClientCallStreamObserver<HttpBody> out) { sendAll(bytes, out); }
                public void onNext(Int64Value size) { answer.complete(size.getValue()); }
                public void onError(Throwable why) { answer.completeExceptionally(why); }
                public void onCompleted() {}
            });
        return answer.get();
    }

    static String codeOf(ThrowingCall call) {
        try {
            call.run();
            return "OK";
        } catch (Exception e) {
            return Status.fromThrowable(e).getCode().toString();
        }
    }

    interface ThrowingCall { void run() throws Exception; }

    static void waitForDeadline(Channel channel) {
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(DEADLINE, TimeUnit.MILLISECONDS);
        ClientCalls.blockingUnaryCall(channel, WAIT, options, Int64Value.of(1));
    }

    static void beRefused(Channel channel) throws Exception {
        var end = new CompletableFuture<Void>();
        ClientCalls.asyncBidiStreamingCall(channel.newCall(REFUSE, CallOptions.DEFAULT), new StreamObserver<Int64Value>() {
            public void onNext(Int64Value size) {}
            public void onError(Throwable why) { end.completeExceptionally(why); }
            public void onCompleted() { end.complete(null); }
        });
        try {
            end.get();
        } catch (ExecutionException e) {
            throw (Exception) e.getCause();
        }
    }

    /** What `calls` calls ended with, some of them at once. */
    static Map<String, Integer> storm(int calls, ThrowingCall call) throws Exception {
        var ends = new ConcurrentHashMap<String, Integer>();
        var left = new AtomicInteger(calls);
        var workers = Executors.newFixedThreadPool(WORKERS);
        for (int i = 0; i < WORKERS; i++)
            workers.execute(() -> {
                while (left.getAndDecrement() > 0)
                    ends.merge(codeOf(call), 1, Integer::sum);
            });
        workers.shutdown();
        workers.awaitTermination(1, TimeUnit.HOURS);
        return ends;
    }

    static boolean all = true;

    static void tell(String part, Object wanted, Callable<Object> run) {
        long begun = System.nanoTime();
        Object got;
        try {
            got = run.call();
        } catch (Exception e) {
            got = e;
        }
        boolean ok = wanted.equals(got);
        all &= ok;
        System.out.printf("%s%s: %s in %.1f s%n", ok ? "ok      " : "FAILED  ", part, got, (System.nanoTime() - begun) / 1e9);
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("serve"))
            serve(Integer.parseInt(args[1]));
        long bytes = Long.parseLong(args[1]);
        int calls = Integer.parseInt(args[2]);
        ManagedChannel channel = ManagedChannelBuilder.forTarget(args[3]).usePlaintext().build();
        tell("grpc-java-get", bytes, () -> get(channel, bytes));
        tell("grpc-java-put", bytes, () -> put(channel, bytes));
        tell("grpc-java-deadlines", Map.of("DEADLINE_EXCEEDED", calls), () -> storm(calls, () -> waitForDeadline(channel)));
        tell("grpc-java-refused", Map.of("RESOURCE_EXHAUSTED", calls), () -> storm(calls, () -> beRefused(channel)));
        channel.shutdownNow();
        System.exit(all ? 0 : 1);
    }
}
