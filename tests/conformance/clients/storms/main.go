// Command storms moves large bodies, and breaks off calls by the thousand, through a gateway.
//
//	storms serve GRPC HTTP          the services: storms.v1.Files, and files of any size over HTTP/1.1
//	storms run BYTES CALLS WHAT HOST:PORT
//
// WHAT is grpc-go, net/http, connect-go, or one part of these, such as grpc-go-get. Prints a line for each part.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	service  = "/storms.v1.Files/"
	piece    = 64 << 10
	workers  = 100
	deadline = 30 * time.Millisecond
)

type size = wrapperspb.Int64Value

var zeros = make([]byte, piece)

// ---- The services ---------------------------------------------------------------------------------

func serveGet(_ any, stream grpc.ServerStream) error {
	var wanted size
	if err := stream.RecvMsg(&wanted); err != nil {
		return err
	}
	for left := wanted.Value; left > 0; left -= piece {
		body := &httpbody.HttpBody{ContentType: "application/octet-stream", Data: zeros[:min(left, piece)]}
		if err := stream.SendMsg(body); err != nil {
			return err
		}
	}
	return nil
}

func servePut(_ any, stream grpc.ServerStream) error {
	var got size
	for {
		var body httpbody.HttpBody
		if err := stream.RecvMsg(&body); err == io.EOF {
			return stream.SendMsg(&got)
		} else if err != nil {
			return err
		}
		got.Value += int64(len(body.Data))
	}
}

func serveWait(_ any, stream grpc.ServerStream) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

func serveRefuse(any, grpc.ServerStream) error {
	return status.Error(codes.ResourceExhausted, "no more")
}

// A page that does in a browser what the parts below do, and tells of each.
const page = `<!doctype html><script type=module>
const bytes = Number(new URLSearchParams(location.search).get("bytes")), DEADLINE = 30, AT_ONCE = 100;
const calls = Number(new URLSearchParams(location.search).get("calls"));
const tell = (ok, text) => fetch("/big/told?" + new URLSearchParams({text: (ok ? "ok      " : "FAILED  ") + text}));
async function part(name, wanted, run) {
  const begun = performance.now();
  const got = await run().catch(String);
  await tell(got === wanted, name + ": " + got + " in " + ((performance.now() - begun) / 1000).toFixed(1) + " s");
}
async function get() {
  let got = 0;
  for (const reader = (await fetch("/big/" + bytes)).body.getReader();;) {
    const {done, value} = await reader.read();
    if (done) return got;
    got += value.length;
  }
}
async function post() {
  const piece = new Uint8Array(1 << 20), whole = Math.floor(bytes / piece.length);
  const body = new Blob([...Array(whole).fill(piece), piece.subarray(0, bytes - whole * piece.length)]);
  return Number(await (await fetch("/big/", {method: "POST", body})).text());
}
async function deadlines() {
  let left = calls, ended = 0;
  await Promise.all(Array.from({length: AT_ONCE}, async () => {
    while (left-- > 0)
      await fetch("/big/-1", {signal: AbortSignal.timeout(DEADLINE)}).catch((why) => { ended += why.name === "TimeoutError"; });
  }));
  return ended;
}
await part("get", bytes, get);
await part("post", bytes, post);
await part("deadlines", calls, deadlines);
await tell(true, "end");
</script>`

func serveFile(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/big/page":
		fmt.Fprint(w, page)
		return
	case "/big/told":
		fmt.Println(r.FormValue("text"))
		return
	}
	if r.Method != http.MethodGet {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
		return
	}
	left, _ := strconv.ParseInt(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], 10, 64)
	if left < 0 {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(left, 10))
	for ; left > 0; left -= piece {
		if _, err := w.Write(zeros[:min(left, piece)]); err != nil {
			return
		}
	}
}

func serve(grpcPort, httpPort string) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+grpcPort)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "storms.v1.Files",
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Get", Handler: serveGet, ServerStreams: true},
			{StreamName: "Put", Handler: servePut, ClientStreams: true},
			{StreamName: "Wait", Handler: serveWait, ServerStreams: true},
			{StreamName: "Refuse", Handler: serveRefuse, ClientStreams: true, ServerStreams: true},
		},
	}, nil)
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:"+httpPort, http.HandlerFunc(serveFile))) }()
	log.Fatal(server.Serve(listener))
}

// ---- What is asked of every client -----------------------------------------------------------------

type part struct {
	name string
	run  func() (string, error)
}

func moved(wanted, got int64, begun time.Time) (string, error) {
	if got != wanted {
		return "", fmt.Errorf("%d of %d bytes", got, wanted)
	}
	took := time.Since(begun).Seconds()
	return fmt.Sprintf("%d MB in %.1f s, %.0f MB/s", got/1e6, took, float64(got)/1e6/took), nil
}

// storm makes n calls, some at once; all shall end in one way.
func storm(n int, wanted string, call func() string) (string, error) {
	begun := time.Now()
	ends, queue := map[string]int{}, make(chan struct{}, n)
	for range n {
		queue <- struct{}{}
	}
	close(queue)
	var group sync.WaitGroup
	var mutex sync.Mutex
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for range queue {
				end := call()
				mutex.Lock()
				ends[end]++
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
	if ends[wanted] != n {
		return "", fmt.Errorf("%d calls ended with %v", n, ends)
	}
	return fmt.Sprintf("%d calls ended with %s, in %.1f s", n, wanted, time.Since(begun).Seconds()), nil
}

// A reader of zeros.
type source struct{ left int64 }

func (s *source) Read(into []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(s.left, int64(len(into)))
	clear(into[:n])
	s.left -= n
	return int(n), nil
}

// ---- grpc-go ---------------------------------------------------------------------------------------

func grpcParts(target string, bytes int64, calls int) []part {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	open := func(ctx context.Context, method string) (grpc.ClientStream, error) {
		return connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, service+method)
	}
	return []part{
		{"grpc-go-get", func() (string, error) {
			begun, got := time.Now(), int64(0)
			stream, err := open(context.Background(), "Get")
			if err != nil {
				return "", err
			}
			if err := errors.Join(stream.SendMsg(&size{Value: bytes}), stream.CloseSend()); err != nil {
				return "", err
			}
			for {
				var body httpbody.HttpBody
				if err := stream.RecvMsg(&body); err == io.EOF {
					return moved(bytes, got, begun)
				} else if err != nil {
					return "", fmt.Errorf("after %d bytes: %w", got, err)
				}
				got += int64(len(body.Data))
			}
		}},
		{"grpc-go-put", func() (string, error) {
			begun := time.Now()
			stream, err := open(context.Background(), "Put")
			if err != nil {
				return "", err
			}
			for left := bytes; left > 0 && err == nil; left -= piece {
				err = stream.SendMsg(&httpbody.HttpBody{Data: zeros[:min(left, piece)]})
			}
			var got size
			if err := errors.Join(stream.CloseSend(), stream.RecvMsg(&got)); err != nil {
				return "", err
			}
			return moved(bytes, got.Value, begun)
		}},
		{"grpc-go-deadlines", func() (string, error) {
			return storm(calls, codes.DeadlineExceeded.String(), func() string {
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				defer cancel()
				return status.Code(connection.Invoke(ctx, service+"Wait", &size{}, &size{})).String()
			})
		}},
		{"grpc-go-refused", func() (string, error) {
			return storm(calls, codes.ResourceExhausted.String(), func() string {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				stream, err := open(ctx, "Refuse")
				if err == nil {
					err = stream.RecvMsg(&size{})
				}
				return status.Code(err).String()
			})
		}},
	}
}

// ---- net/http --------------------------------------------------------------------------------------

func http2Client() *http.Client {
	return &http.Client{Transport: &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

func httpGet(client *http.Client, url string, bytes int64) (string, error) {
	begun := time.Now()
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	got, err := io.Copy(io.Discard, answer.Body)
	if err != nil || answer.StatusCode != 200 {
		return "", fmt.Errorf("%s, after %d bytes: %w", answer.Status, got, err)
	}
	return moved(bytes, got, begun)
}

func httpPost(client *http.Client, url string, bytes int64) (string, error) {
	begun := time.Now()
	answer, err := client.Post(url, "application/octet-stream", &source{bytes})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		return "", fmt.Errorf("%s %s: %w", answer.Status, body, err)
	}
	got, _ := strconv.ParseInt(strings.Trim(string(body), `{"bytes: }`+"\n"), 10, 64)
	return moved(bytes, got, begun)
}

func httpParts(target string, bytes int64, calls int) []part {
	client, base := http2Client(), "http://"+target
	waiting := func() string {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/big/-1", nil)
		answer, err := client.Do(request)
		if errors.Is(err, context.DeadlineExceeded) { // also while it connects
			return context.DeadlineExceeded.Error()
		} else if err != nil {
			return err.Error()
		}
		answer.Body.Close()
		return answer.Status
	}
	return []part{
		{"net/http-get", func() (string, error) { return httpGet(client, fmt.Sprint(base, "/big/", bytes), bytes) }},
		{"net/http-post", func() (string, error) { return httpPost(client, base+"/big/", bytes) }},
		{"net/http-httpbody-get", func() (string, error) { return httpGet(client, fmt.Sprint(base, "/files/", bytes), bytes) }},
		{"net/http-httpbody-post", func() (string, error) { return httpPost(client, base+"/files", bytes) }},
		{"net/http-deadlines", func() (string, error) {
			return storm(calls, context.DeadlineExceeded.Error(), waiting)
		}},
	}
}

// ---- connect-go ------------------------------------------------------------------------------------

func connectGet(base string, bytes int64, option connect.ClientOption) (string, error) {
	begun, got := time.Now(), int64(0)
	client := connect.NewClient[size, httpbody.HttpBody](http2Client(), base+service+"Get", option)
	stream, err := client.CallServerStream(context.Background(), connect.NewRequest(&size{Value: bytes}))
	if err != nil {
		return "", err
	}
	defer stream.Close()
	for stream.Receive() {
		got += int64(len(stream.Msg().Data))
	}
	if err := stream.Err(); err != nil {
		return "", fmt.Errorf("after %d bytes: %w", got, err)
	}
	return moved(bytes, got, begun)
}

func connectPut(base string, bytes int64, option connect.ClientOption) (string, error) {
	begun := time.Now()
	client := connect.NewClient[httpbody.HttpBody, size](http2Client(), base+service+"Put", option)
	stream := client.CallClientStream(context.Background())
	for left := bytes; left > 0; left -= piece {
		if err := stream.Send(&httpbody.HttpBody{Data: zeros[:min(left, piece)]}); err != nil {
			return "", err
		}
	}
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return "", err
	}
	return moved(bytes, answer.Msg.Value, begun)
}

func connectParts(target string, bytes int64) []part {
	base, parts := "http://"+target, []part{}
	for _, dialect := range []struct {
		name   string
		option connect.ClientOption
	}{
		{"grpc", connect.WithGRPC()},
		{"grpc-web", connect.WithGRPCWeb()},
		{"connect", connect.WithClientOptions()},
	} {
		parts = append(parts,
			part{"connect-go-" + dialect.name + "-get", func() (string, error) { return connectGet(base, bytes, dialect.option) }},
			part{"connect-go-" + dialect.name + "-put", func() (string, error) { return connectPut(base, bytes, dialect.option) }})
	}
	return parts
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3])
	}
	if len(os.Args) != 6 {
		log.Fatal("usage: storms serve GRPC HTTP | storms run BYTES CALLS WHAT HOST:PORT")
	}
	bytes, _ := strconv.ParseInt(os.Args[2], 10, 64)
	calls, _ := strconv.Atoi(os.Args[3])
	what, target := os.Args[4], os.Args[5]
	parts := append(grpcParts(target, bytes, calls), httpParts(target, bytes, calls)...)
	failed := 0
	for _, part := range append(parts, connectParts(target, bytes)...) {
		if !strings.HasPrefix(part.name, what) {
			continue
		}
		if told, err := part.run(); err != nil {
			failed++
			fmt.Printf("FAILED  %s: %v\n", part.name, err)
		} else {
			fmt.Printf("ok      %s: %s\n", part.name, told)
		}
	}
	os.Exit(min(failed, 1))
}
