// Two networks in one C++ program, with an executor of its own on std::thread.
#include "colors.h"
#include "tokens.h"
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

// Everything a run of a network needs, from what the network tells of itself.
class Network {
public:
    explicit Network(const VtcModel &model)
        : model_(model), space_(model.workspace_bytes + model.align)
    {
        for (int i = 0; i < model.input_count; i++)
            add(inputs_, model.inputs[i]);
        for (int i = 0; i < model.output_count; i++)
            add(outputs_, model.outputs[i]);
    }

    std::vector<float> &input(int i) { return inputs_[i]; }
    const std::vector<float> &output(int i) const { return outputs_[i]; }

    int run(const VtcExecutor *executor)
    {
        std::vector<const void *> in;
        std::vector<void *> out;
        for (auto &tensor : inputs_)
            in.push_back(tensor.data());
        for (auto &tensor : outputs_)
            out.push_back(tensor.data());
        return model_.run(model_.weights, in.data(), out.data(), aligned(), executor);
    }

private:
    static void add(std::vector<std::vector<float>> &tensors, const VtcTensorInfo &info)
    {
        tensors.emplace_back(info.bytes / sizeof(float));
    }

    void *aligned()
    {
        auto at = reinterpret_cast<std::uintptr_t>(space_.data());
        auto align = static_cast<std::uintptr_t>(model_.align);
        return reinterpret_cast<void *>((at + align - 1) / align * align);
    }

    const VtcModel &model_;
    std::vector<unsigned char> space_;
    std::vector<std::vector<float>> inputs_, outputs_;
};

// Thread t of T takes tasks [n*t/T, n*(t+1)/T); the caller is thread 0.
static void run_tasks(void *self, VtcTask *task, void *context, int tasks)
{
    int threads = *static_cast<int *>(self);
    auto slice = [=](int t) {
        for (int i = tasks * t / threads; i < tasks * (t + 1) / threads; i++)
            task(context, i, t);
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads; t++)
        others.emplace_back(slice, t);
    slice(0);
    for (auto &other : others)
        other.join();
}

static void print(const char *name, const std::vector<float> &values)
{
    std::printf("%s", name);
    for (float value : values)
        std::printf(" %a", static_cast<double>(value));
    std::putchar('\n');
}

static void fill(std::vector<float> &values)
{
    for (std::size_t i = 0; i < values.size(); i++)
        values[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
}

int main()
{
    int threads = 2;
    VtcExecutor executor = {threads, &threads, run_tasks};
    Network colors(colors_model), tokens(tokens_model);
    fill(colors.input(0));
    fill(tokens.input(0));
    if (colors.run(&executor) != VTC_OK || tokens.run(&executor) != VTC_OK)
        return 1;
    print("logits", colors.output(0));
    print("attention", tokens.output(0));
    print("tokens", tokens.output(1));
}
