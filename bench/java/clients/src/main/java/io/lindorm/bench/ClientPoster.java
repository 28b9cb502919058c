package io.lindorm.bench;

import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.async.AsyncExecuteRequest;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;
import software.amazon.awssdk.http.async.SdkHttpContentPublisher;
import software.amazon.awssdk.http.async.SimpleSubscriber;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.crt.AwsCrtAsyncHttpClient;
import software.amazon.awssdk.http.crt.AwsCrtHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;

/**
 * One ready-made BatchWriteItem of 25 items, posted again and again by one of the HTTP clients of AWS's SDK, each time
 * signed anew, or signed once before. So what a client costs, and what a signature does, can be told apart.
 *
 * <p>Arguments: port, threads (each has a request on its way), items of a round, client, whether to sign each request.
 * A round is done for each line of input; what was done is answered in a line.
 */
public final class ClientPoster {

    private static final int BATCH = 25;
    private static final AwsV4HttpSigner SIGNER = AwsV4HttpSigner.create();
    private static final AwsCredentialsIdentity IDENTITY = AwsCredentialsIdentity.create("local", "local");

    /** Sends a request and takes in the whole of the answer. */
    private interface Client {
        void post(SdkHttpRequest request, byte[] body) throws Exception;
    }

    private ClientPoster() {}

    public static void main(String[] arguments) throws Exception {
        URI uri = URI.create("http://127.0.0.1:" + arguments[0]);
        int threads = Integer.parseInt(arguments[1]);
        long batches = Long.parseLong(arguments[2]) / BATCH / threads;
        Client client = client(arguments[3], threads);
        boolean signsEach = Boolean.parseBoolean(arguments[4]);
        byte[] body = body();
        SdkHttpRequest plain = SdkHttpRequest.builder()
                .uri(uri)
                .method(SdkHttpMethod.POST)
                .putHeader("Content-Type", "application/x-amz-json-1.0")
                .putHeader("X-Amz-Target", "DynamoDB_20120810.BatchWriteItem")
                .putHeader("Content-Length", Integer.toString(body.length))
                .build();
        SdkHttpRequest once = sign(plain, body);
        Callable<Long> poster = () -> {
            for (long i = 0; i < batches; i++) {
                client.post(signsEach ? sign(plain, body) : once, body);
            }
            return batches * BATCH;
        };
        List<Callable<Long>> posters = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            posters.add(poster);
        }
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ready");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            long items = 0;
            for (Future<Long> done : pool.invokeAll(posters)) {
                items += done.get();
            }
            System.out.println(items);
        }
        System.exit(0); // the clients' threads are no daemons
    }

    private static SdkHttpRequest sign(SdkHttpRequest request, byte[] body) {
        return SIGNER.sign(sign -> sign.identity(IDENTITY)
                        .request(request)
                        .payload(ContentStreamProvider.fromByteArrayUnsafe(body))
                        .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "dynamodb")
                        .putProperty(AwsV4HttpSigner.REGION_NAME, "us-west-2"))
                .request();
    }

    private static Client client(String name, int connections) {
        return switch (name) {
            case "apache5" ->
                blocking(Apache5HttpClient.builder().maxConnections(connections).build());
            case "urlconnection" -> blocking(UrlConnectionHttpClient.create());
            case "crt" ->
                blocking(AwsCrtHttpClient.builder().maxConcurrency(connections).build());
            case "crt.async" ->
                async(AwsCrtAsyncHttpClient.builder()
                        .maxConcurrency(connections)
                        .build());
            case "netty" ->
                async(NettyNioAsyncHttpClient.builder()
                        .maxConcurrency(connections)
                        .build());
            default -> throw new IllegalArgumentException("no client " + name);
        };
    }

    private static Client blocking(SdkHttpClient http) {
        return (request, body) -> {
            HttpExecuteResponse response = http.prepareRequest(HttpExecuteRequest.builder()
                            .request(request)
                            .contentStreamProvider(ContentStreamProvider.fromByteArrayUnsafe(body))
                            .build())
                    .call();
            try (InputStream in = response.responseBody().orElseThrow()) {
                in.readAllBytes();
            }
            check(response.httpResponse());
        };
    }

    private static void check(SdkHttpResponse response) {
        if (response.statusCode() != 200) {
            throw new IllegalStateException("HTTP status " + response.statusCode());
        }
    }

    private static Client async(SdkAsyncHttpClient http) {
        return (request, body) -> {
            Answer answer = new Answer();
            http.execute(AsyncExecuteRequest.builder()
                            .request(request)
                            .requestContentPublisher(new OneBuffer(body))
                            .responseHandler(answer)
                            .build())
                    .get();
            answer.whole.get();
        };
    }

    private static final class Answer implements SdkAsyncHttpResponseHandler {
        private final CompletableFuture<Void> whole = new CompletableFuture<>();

        @Override
        public void onHeaders(SdkHttpResponse headers) {
            check(headers);
        }

        @Override
        public void onStream(Publisher<ByteBuffer> stream) {
            stream.subscribe(new SimpleSubscriber(part -> {}) {
                @Override
                public void onComplete() {
                    whole.complete(null);
                }

                @Override
                public void onError(Throwable error) {
                    whole.completeExceptionally(error);
                }
            });
        }

        @Override
        public void onError(Throwable error) {
            whole.completeExceptionally(error);
        }
    }

    private record OneBuffer(byte[] body) implements SdkHttpContentPublisher {

        @Override
        public Optional<Long> contentLength() {
            return Optional.of((long) body.length);
        }

        @Override
        public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
            subscriber.onSubscribe(new Subscription() {
                private boolean isDone;

                @Override
                public void request(long count) {
                    if (!isDone) {
                        isDone = true;
                        subscriber.onNext(ByteBuffer.wrap(body));
                        subscriber.onComplete();
                    }
                }

                @Override
                public void cancel() {
                    isDone = true;
                }
            });
        }
    }

    private static byte[] body() {
        StringBuilder body = new StringBuilder("{\"RequestItems\":{\"readings\":[");
        for (int i = 0; i < BATCH; i++) {
            body.append(i == 0 ? "" : ",")
                    .append("{\"PutRequest\":{\"Item\":{\"device\":{\"S\":\"dev-")
                    .append(String.format("%07d", i))
                    .append("\"},\"ts\":{\"S\":\"2023-01-01T00:00:00.000Z\"},\"metric\":{\"S\":\"temperature\"},")
                    .append("\"val\":{\"N\":\"20.57\"},\"note\":{\"S\":\"ok-7\"}}}}");
        }
        return body.append("]}}").toString().getBytes(StandardCharsets.UTF_8);
    }
}
